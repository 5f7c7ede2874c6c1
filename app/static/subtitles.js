// A subtitle file, dropped in and given back translated.
import { events, json, request, told } from "./api.js";
import { fillLanguages } from "./languages.js";

const PREVIEWED = 8;
const DETECTED = 2000; // characters from which the language of a file is told
const TIMES = /(\d+:\d\d:\d\d|\d\d:\d\d)[.,]\d+\s*-->/;

const byId = (id) => document.getElementById(id);

export function startSubtitles(languages) {
  const [drop, file, job, state, bar] = ["drop", "file", "job", "job-state", "job-progress"].map(byId);
  const [download, cancel, preview] = ["download", "cancel", "preview"].map(byId);
  const chosen = fillLanguages(byId("subtitles"), languages);
  if (!chosen) return;
  let running = null;

  async function run(chosenFile) {
    running?.abort();
    const own = running = new AbortController();
    job.hidden = false;
    byId("job-name").textContent = chosenFile.name;
    state.textContent = "Reading…";
    bar.removeAttribute("value");
    download.hidden = preview.hidden = true;
    cancel.hidden = false;
    try {
      if (chosen.source() === "auto") await avoidOwnLanguage(chosenFile, own.signal);
      const target = chosen.target(); // which may be changed before the end
      const form = new FormData();
      form.append("source", chosen.source());
      form.append("target", target);
      form.append("stream", "true");
      form.append("file", chosenFile);
      for await (const { event, data } of events("translate_file", { body: form, signal: own.signal })) {
        if (event === "progress") {
          bar.max = data.total;
          bar.value = data.done;
          state.textContent = data.done ? `${data.done.toLocaleString("en")} of ${data.total.toLocaleString("en")} sentences` : "";
        } else await finish(data.translatedFileUrl, chosenFile, target, own.signal);
      }
    } catch (error) {
      if (own !== running) return;
      bar.value = 0;
      state.textContent = told(error) ?? "Cancelled";
    }
    cancel.hidden = true;
  }

  /** Selects another target language than that of a file. */
  async function avoidOwnLanguage(chosenFile, signal) {
    const text = await textOf(chosenFile);
    const words = chosenFile.name.endsWith(".txt") ? text : cues(text).map((cue) => cue.text).join("\n");
    if (!words.trim()) return;
    const q = words.slice(0, DETECTED).replace(/[\ud800-\udbff]$/, ""); // half an emoji
    const [found] = await json("detect", { q }, signal);
    if (found) chosen.avoid(found.language);
  }

  /** Fetches the translation, which the server soon forgets, and offers it. */
  async function finish(url, chosenFile, target, signal) {
    const translated = await (await request(`download_file/${url.split("/").at(-1)}`, { signal })).blob();
    const dot = chosenFile.name.lastIndexOf(".");
    URL.revokeObjectURL(download.href);
    download.href = URL.createObjectURL(translated);
    download.download = `${chosenFile.name.slice(0, dot)}.${target}${chosenFile.name.slice(dot)}`;
    download.hidden = false;
    state.textContent = "Done";
    byId("announcer").textContent = `${chosenFile.name} is translated.`;
    const texts = await Promise.all([chosenFile, translated].map(textOf));
    const [sources, targets] = texts.map(cues);
    const rows = sources.slice(0, PREVIEWED).map((cue, place) => row(cue.time, cue.text, targets[place]?.text ?? ""));
    preview.tBodies[0].replaceChildren(...rows);
    preview.hidden = !rows.length || texts.some((text) => text.includes("\ufffd"));
    download.focus();
  }

  /** Reads a file in Unicode. Only the server detects other encodings: their letters become U+FFFD. */
  async function textOf(blob) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const encoding = { "255,254": "utf-16le", "254,255": "utf-16be" }[bytes.slice(0, 2)] ?? "utf-8";
    return new TextDecoder(encoding).decode(bytes);
  }

  /** Returns the first cues of a file of SubRip or WebVTT, for people to look at. */
  function cues(text) {
    return text.replace(/\r\n?/g, "\n").split(/\n\n+/).flatMap((block) => {
      const lines = block.split("\n");
      const place = lines.findIndex((line) => TIMES.test(line));
      if (place < 0) return [];
      const shown = lines.slice(place + 1).join("\n").replace(/<[^>]*>|\{\\[^}]*\}/g, "");
      return [{ time: TIMES.exec(lines[place])[1], text: shown }];
    });
  }

  function row(...texts) {
    const made = document.createElement("tr");
    made.append(...texts.map((text) => Object.assign(document.createElement("td"), { textContent: text, dir: "auto" })));
    return made;
  }

  file.addEventListener("change", () => { if (file.files[0]) run(file.files[0]); file.value = ""; });
  cancel.addEventListener("click", () => running?.abort());
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (drag) => {
      drag.preventDefault();
      drop.classList.toggle("over", name === "dragenter" || name === "dragover");
      if (name === "drop" && drag.dataTransfer.files[0]) run(drag.dataTransfer.files[0]);
    });
  }
}
