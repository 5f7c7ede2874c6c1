"""Languages: their scripts, and identification of the language of a text."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import regex

from model.language_id import base_of, known_languages, predict
from model.text.normalise import normalise

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

#: Languages that an identifier can hardly distinguish are treated as one.
_TWINS = {"bs": "hr", "sh": "hr", "sr": "hr", "nn": "no", "nb": "no", "yue": "zh", "wuu": "zh"}
_TWINS |= {"arz": "ar", "ms": "id", "min": "id", "pnb": "ur", "als": "de", "gl": "pt"}
#: Languages, and another for which an identifier takes many of their sentences: up to 18 of 100.
_TAKEN_FOR = {"af": "nl", "da": "no", "gl": "es", "nb": "da", "nn": "da", "no": "da", "sk": "cs"}

#: Characters of a text that suffice to identify its language.
_ENOUGH = 64
#: All letters below the first are Latin; below the second, none represents a word or a syllable.
_LATIN_END, _NARROW_END = "\u0250", "\u1100"

_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_DENSE = regex.compile(r"\p{Han}")
_SYLLABLES = regex.compile(r"[\p{Hiragana}\p{Katakana}\p{Hangul}]")


def width_of(text: str) -> int:
    """Counts the characters of `text`; one that represents a word counts as three, a syllable as
    two."""
    if text.isascii() or max(text) < _NARROW_END:
        return len(text)
    return len(text) + 2 * len(_DENSE.findall(text)) + len(_SYLLABLES.findall(text))


def scripts_of(language: str) -> tuple[str, ...]:
    """Returns the scripts that a language is written in, by their Unicode names: Latin, unless it
    is known to have others."""
    names = (name for name, all_ in _SCRIPTS.items() if base_of(language) in all_.split())
    return tuple(next(names, "Latin").split())


@cache
def script_share(language: str) -> Callable[[str], float]:
    """Returns a function that computes the share of a text's letters, by `width_of`, in the scripts
    of `language`; 1 for a text without letters."""
    names = scripts_of(language)
    own = "".join(rf"\p{{{name}}}" for name in names)
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
    """Tells whether `identify` knows `language`, or one that it treats as the same."""
    base = base_of(language)
    return _TWINS.get(base, base) in known_languages()


def same_language(one: str, other: str) -> bool:
    """Tells whether an identifier may confuse the two."""
    first, second = base_of(one), base_of(other)
    return _TWINS.get(first, first) == _TWINS.get(second, second)


def may_seem(language: str, found: str) -> bool:
    """Tells whether an identifier may find `found` in a text in `language`, the same or another."""
    other = _TAKEN_FOR.get(base_of(language), language)
    return same_language(found, language) or same_language(found, other)


def identify(text: str) -> tuple[str, float]:
    """Identifies the language of `text`, one line; returns it with its probability, or ("", 0)."""
    text = normalise(text[:_ENOUGH])  # the model does not know decomposed characters
    found = predict(text.lower() if text.isupper() else text)
    if not found:
        return "", 0.0
    [(probability, language)] = found
    # For Chinese characters that it does not know, the model returns any language.
    if not text.isascii() and script_share(language)(text) < 0.5:
        return "", 0.0
    if language == "ja" and not _KANA.search(text):
        language = "zh"
    return language, probability
