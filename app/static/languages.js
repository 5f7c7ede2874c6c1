// The two selects of a section: from a language, into one that it can be translated into.

/** Fills the selects of `section`; tells whether there is anything to choose. */
export function fillLanguages(section, languages, onChange = () => {}) {
  const [source, target] = [section.querySelector(".source"), section.querySelector(".target")];
  if (!languages.length) {
    section.querySelector(".none").hidden = false;
    section.querySelector(".pair, .files").hidden = true;
    return null;
  }
  const names = new Intl.DisplayNames(["en"], { type: "language" });
  const name = (code) => {
    try { return names.of(code.replaceAll("_", "-")); } catch { return code; } // no language tag
  };
  const option = (code) => new Option(code === "auto" ? "Detect" : name(code), code);
  const fillTargets = () => {
    const fitting = languages.filter(({ code }) => ["auto", code].includes(source.value));
    const targets = new Set(fitting.flatMap((language) => language.targets));
    const before = target.value;
    target.replaceChildren(...[...targets].map(option));
    if (targets.has(before)) target.value = before;
  };
  source.append(...["auto", ...languages.map(({ code }) => code)].map(option));
  source.addEventListener("change", () => { fillTargets(); onChange(); });
  let isChosen = false; // the target, by the reader
  target.addEventListener("change", () => { isChosen = true; onChange(); });
  /** Selects a target other than the language of the text, unless the reader has chosen one. Tells whether it changed. */
  const avoid = (code) => {
    const other = languages.find((language) => language.code === code)?.targets.find((each) => each !== code);
    if (isChosen || target.value !== code || !other) return false;
    target.value = other;
    return true;
  };
  fillTargets();
  return { source: () => source.value, target: () => target.value, name, avoid };
}
