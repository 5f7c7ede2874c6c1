"""Normalisation of any Unicode string to the plain form that tokenizers are trained on."""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"  # zero width, but they matter in Persian, Hindi and emoji
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "`": "'", "´": "'", "“": '"', "”": '"', "…": "..."})
_SPACE_BEFORE_PUNCTUATION = re.compile(r"\s+(?=[,.?!;:%)\]])")
_SPLIT_CONTRACTION = re.compile(r"(\w)\s+'\s*(s|t|re|ve|ll|d|m)\b", re.IGNORECASE)
_SPLIT_NEGATION = re.compile(r"(\w)\s+(n't)\b", re.IGNORECASE)


def normalise(text: str) -> str:
    """Returns `text` in NFKC, on one line, with single spaces and none at the ends, without
    control, invisible and unpaired surrogate code points. A second call changes nothing."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    if text.isprintable():  # as no control, invisible and surrogate code point is
        return " ".join(unicodedata.normalize("NFKC", text).split())
    spaced = (" " if character.isspace() else character for character in text)
    visible = "".join(character for character in spaced if _is_visible(character))
    return " ".join(unicodedata.normalize("NFKC", visible).split())


def _is_visible(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in ("Cc", "Cf", "Cs")


def plain_punctuation(text: str) -> str:
    """Straightens quotes, joins punctuation to its word: `what ' s that ?` -> `what's that?`."""
    text = text.translate(_STRAIGHT)
    if "'" in text:
        text = _SPLIT_CONTRACTION.sub(r"\1'\2", text)
        text = _SPLIT_NEGATION.sub(r"\1\2", text)
    return _SPACE_BEFORE_PUNCTUATION.sub("", text)
