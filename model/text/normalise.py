"""Normalisation of any Unicode string to the plain form that tokenizers are trained on."""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"  # zero width, but they matter in Persian, Hindi and emoji
_STRAIGHT_QUOTES = str.maketrans({"‘": "'", "’": "'", "`": "'", "´": "'", "“": '"', "”": '"'})
_SPACE_BEFORE_PUNCTUATION = re.compile(r"\s+(?=[,.?!;:%)\]，。？！；：）］])")
_WIDE_PUNCTUATION = "！（），：；？［］｛｝～"
_NARROW = str.maketrans({mark: unicodedata.normalize("NFKC", mark) for mark in _WIDE_PUNCTUATION})
#: What NFKC replaces by characters that nobody types: AM in Thai and Lao, and single letters in
#: Korean (`ㅋㅋ`), which it even joins to the syllable before.
_EXCEPTIONS = "\u0e33\u0eb3\u3131-\u318e"
_CHINESE_OR_JAPANESE = re.compile("[\u3041-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
_MAY_BE_EXCEPTION = re.compile(rf"[{_EXCEPTIONS}{_WIDE_PUNCTUATION}]")
_REPLACED = re.compile(rf"[^{_EXCEPTIONS}]+")
_REPLACED_IN_CHINESE = re.compile(rf"[^{_EXCEPTIONS}{_WIDE_PUNCTUATION}]+")
_SPLIT_CONTRACTION = re.compile(r"(\w)\s+'\s*(s|t|re|ve|ll|d|m)\b", re.IGNORECASE)
_SPLIT_NEGATION = re.compile(r"(\w)\s+(n't)\b", re.IGNORECASE)


def normalise(text: str) -> str:
    """Returns `text` in NFKC, on one line, with single spaces and none at the ends, without
    control, invisible and unpaired surrogate code points. A second call changes nothing.

    Thai and Lao AM, single Korean letters and the full-width punctuation of Chinese and Japanese
    stay as they are.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    if text.isprintable():  # as no control, invisible and surrogate code point is
        return " ".join(_compatible(text).split())
    spaced = (" " if character.isspace() else character for character in text)
    visible = "".join(character for character in spaced if _is_visible(character))
    return " ".join(_compatible(visible).split())


def narrow_punctuation(text: str) -> str:
    """Returns `text` with ASCII punctuation for full-width punctuation."""
    return text if text.isascii() else text.translate(_NARROW)


def _compatible(text: str) -> str:
    """Returns `text` in NFKC with the exceptions of `normalise`."""
    if not _MAY_BE_EXCEPTION.search(text):
        return unicodedata.normalize("NFKC", text)
    is_wide = _CHINESE_OR_JAPANESE.search(text)
    replaced = _REPLACED_IN_CHINESE if is_wide else _REPLACED
    return replaced.sub(lambda part: unicodedata.normalize("NFKC", part[0]), text)


def _is_visible(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cs")


def straighten_quotes(text: str) -> str:
    """Returns `text` with straight quotes and apostrophes."""
    return text.translate(_STRAIGHT_QUOTES)


def plain_punctuation(text: str) -> str:
    """Straightens quotes, joins punctuation to its word: `what ' s that ?` -> `what's that?`."""
    text = straighten_quotes(text).replace("…", "...")
    if "'" in text:
        text = _SPLIT_CONTRACTION.sub(r"\1'\2", text)
        text = _SPLIT_NEGATION.sub(r"\1\2", text)
    return _SPACE_BEFORE_PUNCTUATION.sub("", text)
