"""`remember`: puts pairs of a file into the translation memory of a model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from model.errors import ConfigError
from model.folder import MEMORY_FILE, ModelFolder, load_memory, replace_file
from model.text.sentences import sentence_spans
from model.translation_memory import MAX_CHARACTERS, MAX_PAIRS, TranslationMemory


def remember(path: str | Path, lines: Iterable[str]) -> str:
    """Puts pairs into the memory of a model, in place of those of the same sentences.

    Args:
        path: folder of the model.
        lines: sentence TAB translation; an empty translation removes a sentence.

    Returns:
        a line for people.

    Raises:
        ConfigError: if a line is no pair, or there are too many; then nothing is written.
        FolderError: if the folder is broken, or cannot be written.
    """
    pairs = [_pair_of(line, f"line {n}") for n, line in enumerate(lines, 1) if line.strip()]
    told = ""

    def updated(folder: ModelFolder) -> bytes | None:
        nonlocal told
        before = load_memory(folder) or TranslationMemory(())
        after = before.updated(pairs)
        if len(after) > MAX_PAIRS:
            raise ConfigError(
                f"{path}: would keep {len(after):,} translations, at most {MAX_PAIRS:,} are "
                "possible. Remember fewer, or train the model on them."
            )
        told = f"{path}: keeps {len(after):,} translations ({len(before):,} before)"
        return None if after.pairs == before.pairs else after.to_bytes()

    replace_file(path, MEMORY_FILE, updated)
    return told


def _pair_of(line: str, place: str) -> tuple[str, str]:
    """Returns the sentence and the translation of a line.

    Raises:
        ConfigError: if there are none, or no text would ever be found by the sentence.
    """
    text, _, translation = (part.strip() for part in line.partition("\t"))
    if "\ufffd" in line:
        raise ConfigError(f"{place}: is not UTF-8. Convert the file: iconv -f cp1252 -t utf-8")
    if "\t" not in line or "\t" in translation:
        columns = line.count("\t") + 1
        raise ConfigError(f"{place}: has {columns} columns, not a sentence TAB its translation")
    if not any(map(str.isalpha, text)):
        raise ConfigError(f"{place}: {text!r} has no letters, so it is never translated")
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{place}: has more than {MAX_CHARACTERS:,} characters. Divide it.")
    if len([*sentence_spans(text, "")]) > 1:
        raise ConfigError(
            f"{place}: has several sentences, which are translated one by one. Write each on a "
            "line of its own"
        )
    return text, translation
