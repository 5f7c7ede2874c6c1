// Translation of a text, and which of its words each word of the translation attends to.
import { json, told } from "./api.js";
import { fillLanguages } from "./languages.js";

const PAUSE_MS = 600; // of typing, after which the text is translated
const HINT = matchMedia("(hover: none)").matches
  ? "Tap a word to see where it comes from."
  : "Point at a word, or use the arrow keys, to see where it comes from.";
const LEAST_WEIGHT = 0.05; // of a word that lights up

const byId = (id) => document.getElementById(id);

export function startTranslate(languages) {
  const [input, sourceWords, targetWords] = ["source-text", "source-words", "target-words"].map(byId);
  const [state, edit, copy, hint] = ["translate-state", "edit", "copy", "words-hint"].map(byId);
  const chosen = fillLanguages(byId("translate"), languages, () => translate());
  if (!chosen) return;
  let running = null;
  let pause = 0;
  let translation = "";
  let translated = ""; // the text that it translates

  async function translate() {
    clearTimeout(pause);
    running?.abort();
    const q = input.value;
    if (!q.trim()) {
      state.textContent = byId("detected").textContent = "";
      show("", "", []);
      return;
    }
    const own = running = new AbortController();
    state.textContent = "Translating…";
    try {
      const body = { q, source: chosen.source(), target: chosen.target(), with_attention: true };
      const answer = await json("translate", body, own.signal);
      const found = answer.detectedLanguage;
      if (found && chosen.avoid(found.language)) { translate(); return; }
      byId("detected").textContent = found ? `Detected: ${chosen.name(found.language)}` : "";
      show(q, answer.translatedText, answer.sentences);
      state.textContent = "";
      byId("announcer").textContent = answer.translatedText;
    } catch (error) {
      const reason = told(error);
      if (!reason) return;
      show("", "", []); // that of the text before
      state.textContent = reason;
    }
  }

  function show(source, target, sentences) {
    translation = target;
    translated = source;
    copy.disabled = !target;
    const isEmpty = !target;
    targetWords.classList.toggle("empty", isEmpty);
    if (isEmpty) { targetWords.textContent = "Translation"; hint.textContent = ""; return; }
    const from = fill(sourceWords, source, sentences, "source");
    const to = fill(targetWords, target, sentences, "target");
    const isLinked = sentences.some((sentence) => sentence.attention);
    hint.textContent = isLinked ? HINT : "";
    link(sentences, from, to);
  }

  /** Fills a box with a text whose words are elements. Returns them, a list for each sentence. */
  function fill(box, text, sentences, side) {
    box.replaceChildren();
    let place = 0;
    const found = sentences.map((sentence) => {
      const start = text.indexOf(sentence[side], place);
      if (start < 0) return [];
      const offsets = [start]; // of the characters, which are one or two units of a JavaScript string
      for (const character of sentence[side]) offsets.push(offsets.at(-1) + character.length);
      return sentence[`${side}_words`].map(([from, to]) => {
        const word = Object.assign(document.createElement("span"), { className: "word" });
        word.textContent = text.slice(offsets[from], offsets[to]);
        box.append(text.slice(place, offsets[from]), word);
        place = offsets[to];
        return word;
      });
    });
    box.append(text.slice(place));
    return found;
  }

  function link(sentences, from, to) {
    const all = [...from.flat(), ...to.flat()];
    const off = () => all.forEach((word) => { word.style.removeProperty("--weight"); word.classList.remove("here"); });
    const light = (words, weights, here) => {
      off();
      here.classList.add("here");
      const most = Math.max(...weights, LEAST_WEIGHT);
      words.forEach((word, place) => {
        if (weights[place] >= LEAST_WEIGHT) word.style.setProperty("--weight", weights[place] / most);
      });
      reveal(words[weights.indexOf(Math.max(...weights))] ?? here);
    };
    const lights = new Map();
    sentences.forEach(({ attention }, number) => {
      if (!attention) return;
      const [sources, targets] = [from[number], to[number]];
      targets.forEach((word, row) => lights.set(word, () => {
        light(sources, attention[row], word);
        const best = attention[row].indexOf(Math.max(...attention[row]));
        return sources[best]?.textContent;
      }));
      sources.forEach((word, column) => lights.set(word, () => light(targets, attention.map((row) => row[column]), word)));
    });
    for (const [word, run] of lights) {
      word.addEventListener("pointerenter", () => { if (!input.matches(":focus")) showSource(true); run(); });
      word.addEventListener("pointerleave", ({ pointerType }) => { if (pointerType === "mouse") off(); });
      word.addEventListener("focus", () => {
        showSource(true);
        byId("announcer").textContent = `${word.textContent}: ${run()}`;
      });
      word.addEventListener("blur", off);
    }
    roving(to.flat().filter((word) => lights.has(word)));
  }

  /** Scrolls the box of a word, which has few lines on a phone, to it. */
  function reveal(word) {
    const box = word.parentElement;
    const top = word.offsetTop - box.offsetTop;
    if (top < box.scrollTop || top + word.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top;
  }

  /** Makes one word of many reachable by Tab, and the others by the arrow keys. */
  function roving(words) {
    words.forEach((word, place) => {
      word.tabIndex = place ? -1 : 0;
      word.addEventListener("keydown", (press) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[press.key];
        const next = words[place + step];
        if (!next) return;
        press.preventDefault();
        word.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      });
    });
  }

  /** Shows the source as words that light up, or as a text to be edited. */
  function showSource(asWords) {
    if (asWords && input.value !== translated) return; // would hide what has been typed since
    sourceWords.hidden = !asWords;
    input.hidden = asWords;
    edit.hidden = !asWords;
  }

  function editSource() { showSource(false); input.focus(); }

  input.addEventListener("input", () => {
    byId("count").textContent = input.value ? `${input.value.length.toLocaleString("en")} characters` : "";
    clearTimeout(pause);
    pause = setTimeout(translate, PAUSE_MS);
  });
  input.addEventListener("keydown", (press) => {
    if (press.key === "Enter" && (press.ctrlKey || press.metaKey)) translate();
  });
  sourceWords.addEventListener("click", editSource);
  edit.addEventListener("click", editSource);
  targetWords.addEventListener("pointerenter", () => { if (translation && input.value === translated) { input.blur(); showSource(true); } });
  byId("translate-now").addEventListener("click", translate);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(translation);
      state.textContent = "Copied";
    } catch {
      state.textContent = "The browser does not let this page copy.";
    }
  });
  show("", "", []);
}
