// The page: tabs, theme, models, and whether the server is there.
import { json, useKey } from "./api.js";
import { startChat } from "./chat.js";
import { startSubtitles } from "./subtitles.js";
import { startTranslate } from "./translate.js";

const byId = (id) => document.getElementById(id);

/** Returns a function that opens a tab, by the id of its panel, unless somebody has chosen one. */
function startTabs() {
  const tabs = [...document.querySelectorAll('[role="tab"]')];
  const open = (tab, focus) => {
    for (const each of tabs) {
      const isOpen = each === tab;
      each.setAttribute("aria-selected", isOpen);
      each.tabIndex = isOpen ? 0 : -1;
      byId(panelOf(each)).hidden = !isOpen;
    }
    history.replaceState(null, "", `#${panelOf(tab)}`);
    if (focus) tab.focus();
  };
  const panelOf = (tab) => tab.getAttribute("aria-controls");
  const wanted = tabs.find((tab) => `#${panelOf(tab)}` === location.hash);
  let isChosen = Boolean(wanted);
  tabs.forEach((tab, place) => {
    tab.addEventListener("focus", () => { isChosen = true; });
    tab.addEventListener("click", () => open(tab));
    tab.addEventListener("keydown", ({ key }) => {
      const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[key];
      if (to !== undefined) open(tabs[(to + tabs.length) % tabs.length], true);
    });
  });
  open(wanted ?? tabs[0]);
  return (panel) => { if (!isChosen) open(tabs.find((tab) => panelOf(tab) === panel)); };
}

function startTheme() {
  const themes = ["automatic", "light", "dark"];
  const button = byId("theme");
  const show = (theme) => {
    if (theme === "automatic") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.setAttribute("aria-label", `Theme: ${theme}`);
    button.title = `Theme: ${theme}`;
  };
  let theme = "automatic";
  try { theme = localStorage.getItem("theme") ?? theme; } catch { /* storage is off */ }
  show(themes.includes(theme) ? theme : "automatic");
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    show(theme);
    try { localStorage.setItem("theme", theme); } catch { /* storage is off */ }
  });
}

/** Shows a banner from the moment that the server is lost until it answers again. */
function watchServer() {
  const banner = byId("banner");
  let isLost = false;
  window.addEventListener("server-lost", async () => {
    if (isLost) return;
    isLost = true;
    banner.textContent = "The server does not answer. Trying again…";
    banner.hidden = false;
    while (isLost) {
      await new Promise((done) => setTimeout(done, 1500));
      isLost = !(await fetch("health/live").then((answer) => answer.ok, () => false));
    }
    banner.hidden = true;
    byId("announcer").textContent = "The server answers again.";
    await loadModels();
  });
}

let started = false;

async function loadModels() {
  try {
    const [models, languages] = await Promise.all([json("v1/models"), json("languages")]);
    if (started) return;
    started = true;
    startChat(models.data);
    if (!models.data.some(({ task }) => task === "reply")) openUnlessChosen("translate");
    startTranslate(languages);
    startSubtitles(languages);
  } catch {
    if (!byId("key-dialog").open) window.dispatchEvent(new Event("server-lost"));
  }
}

/** Asks for a key when the server wants one. */
function watchKey() {
  const dialog = byId("key-dialog");
  window.addEventListener("key-needed", () => { if (!dialog.open) dialog.showModal(); });
  byId("key-form").addEventListener("submit", () => {
    useKey(byId("key").value.trim());
    byId("key").value = "";
    loadModels();
  });
}

startTheme();
const openUnlessChosen = startTabs();
watchServer();
watchKey();
loadModels();
