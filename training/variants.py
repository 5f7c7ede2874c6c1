"""Variants of a message as people type it: pure functions of a text and a random generator.

A model that has read `How are you?` only with its question mark may answer `how are you` with
something else. In training, a message is varied anew in each epoch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Literal

from model.text.scripts import is_unspaced
from model.text.sentences import END_MARKS

#: `history` and `names` need other examples: see `training.fit.epochs` and `training.fit.names`.
Variant = Literal[
    "case", "final_punctuation", "apostrophes", "openers", "typos", "history", "names"
]

#: Probability that a kind of variation changes a message.
RATE = 0.5
#: The same for rare variations.
RARE_RATE = 0.15
#: Words with which people begin a message, by language.
OPENERS: dict[str, tuple[str, ...]] = {
    "de": ("hey, ", "also, ", "ja, ", "okay, ", "ach, ", "na ja, ", "hm, "),
    "en": ("hey, ", "so, ", "well, ", "ok, ", "oh, ", "um, ", "and ", "but "),
    "es": ("oye, ", "bueno, ", "pues ", "vale, ", "ah, ", "eh, "),
    "fr": ("hé, ", "alors, ", "bon, ", "ok, ", "ah, ", "euh, "),
}
#: Shorter words get no typo, which would make another word.
MIN_LETTERS = 4

#: The marks at the end of a text.
FINAL_MARKS = re.compile(rf"\s*[{END_MARKS}]+$")
_WORD = re.compile(rf"[^\W\d_]{{{MIN_LETTERS},}}")


def vary(text: str, variants: Sequence[Variant], language: str, draw: Random) -> str:
    """Returns a variant of a message, or the message itself. The same draws give the same text.

    Args:
        text: not empty.
        variants: kinds of variation, each of which may change it.
        language: language code of the text, for openers.
        draw: random number generator.
    """
    for variant in sorted({*variants} & _VARIATIONS.keys()):
        text = _VARIATIONS[variant](text, language, draw)
    return text


def _vary_apostrophes(text: str, language: str, draw: Random) -> str:
    return re.sub(r"(?<=\w)['’](?=\w)", "", text) if draw.random() < RATE else text


def _vary_case(text: str, language: str, draw: Random) -> str:
    chosen = draw.random()
    if chosen < RARE_RATE:
        return text.upper() if chosen < RARE_RATE / 5 else text[:1].upper() + text[1:]
    return text.lower() if chosen < RARE_RATE + RATE else text


def _vary_final_punctuation(text: str, language: str, draw: Random) -> str:
    plain = FINAL_MARKS.sub("", text)
    if draw.random() >= RATE or not plain:
        return text
    mark = text[len(plain) :]
    if not mark.replace("…", ".").isascii() or is_unspaced(plain[-1]):
        marks = ("", mark, mark)  # of other scripts
    else:
        marks = ("", "?", "??") if "?" in mark else ("", ".", "!")
    # Most people who deviate leave the mark out.
    return plain + draw.choices(marks, (6, 3, 1))[0]


def _vary_openers(text: str, language: str, draw: Random) -> str:
    if draw.random() >= RARE_RATE:
        return text
    opener = draw.choice(OPENERS[language])
    return opener + text[:1].lower() + text[1:]


def _vary_typos(text: str, language: str, draw: Random) -> str:
    words = list(_WORD.finditer(text))
    if not words or draw.random() >= RARE_RATE:
        return text
    word = draw.choice(words)
    place = draw.randrange(word.start(), word.end() - 1)
    before, pair, after = text[:place], text[place : place + 2], text[place + 2 :]
    # A letter is left out, typed twice, or before its time.
    typed = draw.choice((pair[1], pair[0] + pair, pair[::-1]))
    return before + typed + after


_VARIATIONS: dict[Variant, Callable[[str, str, Random], str]] = {
    "apostrophes": _vary_apostrophes,
    "case": _vary_case,
    "final_punctuation": _vary_final_punctuation,
    "openers": _vary_openers,
    "typos": _vary_typos,
}
