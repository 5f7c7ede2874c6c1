// The conversation: turns, streaming, and the candidates of a reply.
import { events, told } from "./api.js";

const STARTERS = ["How are you?", "What is your favourite film?", "Tell me about yourself."];
const MOST_TURNS = 16;

const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export function startChat(models) {
  const [log, turns, message, send, clear] = ["log", "turns", "message", "send", "clear"].map(byId);
  const picker = byId("chat-model");
  const talking = models.filter((model) => model.task === "reply");
  for (const { id } of talking.length ? talking : models) picker.append(element("option", { value: id }, id));
  let history = []; // {role, content}
  let isForgetting = false; // so that it is told once
  let stop = null; // of the reply that is being made

  const decoding = () => document.querySelector('[name="decoding"]:checked').value;
  const showOptions = () => {
    byId("temperature-field").hidden = decoding() !== "sample";
    byId("candidates-field").hidden = decoding() === "default";
  };
  document.querySelectorAll('[name="decoding"]').forEach((each) => each.addEventListener("change", showOptions));
  byId("temperature").addEventListener("input", ({ target }) => {
    document.querySelector('output[for="temperature"]').textContent = Number(target.value).toFixed(1);
  });

  function request() {
    const { task, max_messages } = models.find(({ id }) => id === picker.value);
    const messages = history.slice(task === "translate" ? -1 : -Math.min(MOST_TURNS, max_messages));
    const body = { messages, model: picker.value, stream: true };
    if (decoding() !== "default") {
      body.decoding = decoding();
      body.n_best = Number(byId("candidates").value);
    }
    if (body.decoding === "sample") body.temperature = Number(byId("temperature").value);
    return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  }

  function showChoices(item, text, answer, turn) {
    if (answer.candidates.length < 2) return;
    const choices = element("fieldset", { className: "choices" }, element("legend", {}, "Candidates, with their log-probability"));
    answer.candidates.forEach((candidate, place) => {
      const input = element("input", { type: "radio", name: `turn-${turn}`, checked: place === 0 });
      input.addEventListener("change", () => {
        text.textContent = candidate.text;
        if (history[turn]) history[turn].content = candidate.text;
      });
      const score = element("span", { className: "score" }, candidate.score.toFixed(2).replace("-", "−"));
      choices.append(element("label", {}, input, element("span", { dir: "auto" }, candidate.text), score));
    });
    item.append(choices);
  }

  function note(answer) {
    const parts = [];
    if (answer.finish_reason === "length") parts.push("cut at the longest reply");
    if (answer.usage.turns_dropped && !isForgetting) {
      isForgetting = true;
      parts.push("from here on, the model no longer reads the first turns");
    }
    return parts.join("; ");
  }

  async function reply() {
    const own = history; // "New conversation" begins another one
    const text = element("p", { dir: "auto" });
    const item = element("li", { className: "it waiting" }, text);
    turns.append(item);
    stop = new AbortController();
    send.textContent = "Stop";
    try {
      for await (const { event, data } of events("reply", { ...request(), signal: stop.signal })) {
        if (event === "delta") text.textContent += data.text;
        else if (event === "answer") {
          text.textContent = data.reply;
          own.push({ role: "assistant", content: data.reply });
          showChoices(item, text, data, own.length - 1);
          const words = note(data);
          if (words) item.append(element("span", { className: "note fine" }, words));
          byId("announcer").textContent = data.reply;
        }
        log.scrollTop = log.scrollHeight;
      }
    } catch (error) {
      const reason = told(error);
      if (reason) {
        item.classList.add("failed");
        text.textContent = byId("announcer").textContent = reason.replace(/^messages\.\d+: /, "");
        const unanswered = own.pop()?.content ?? "";
        if (!message.value) { message.value = unanswered; fit(); } // so that it can be sent again
      } else if (text.textContent) {
        own.push({ role: "assistant", content: text.textContent });
        item.append(element("span", { className: "note fine" }, "stopped"));
      } else {
        item.remove();
        own.pop();
      }
    }
    item.classList.remove("waiting");
    log.scrollTop = log.scrollHeight;
    stop = null;
    send.textContent = "Send";
  }

  function say(content) {
    byId("welcome").hidden = true;
    clear.disabled = false;
    history.push({ role: "user", content });
    turns.append(element("li", { className: "you", dir: "auto" }, content));
    log.scrollTop = log.scrollHeight;
    reply();
  }

  const fit = () => {
    message.style.height = "auto";
    message.style.height = `${message.scrollHeight}px`;
  };
  byId("composer").addEventListener("submit", (submit) => {
    submit.preventDefault();
    if (stop) { stop.abort(); return; }
    const content = message.value.trim();
    if (!content) return;
    message.value = "";
    fit();
    say(content);
  });
  message.addEventListener("input", fit);
  message.addEventListener("keydown", (press) => {
    if (press.key !== "Enter" || press.shiftKey || press.isComposing) return;
    press.preventDefault();
    if (!stop) byId("composer").requestSubmit();
  });
  document.addEventListener("keydown", ({ key }) => { if (key === "Escape") stop?.abort(); });
  clear.addEventListener("click", () => {
    stop?.abort();
    history = [];
    isForgetting = false;
    turns.replaceChildren();
    byId("welcome").hidden = false;
    clear.disabled = true;
    message.focus();
  });
  for (const starter of STARTERS) {
    const button = element("button", { type: "button" }, starter);
    button.addEventListener("click", () => { if (!stop) say(starter); message.focus(); });
    byId("starters").append(button);
  }
  showOptions();
}
