"""Symbols that a model cannot read, such as emoji, bullets and arrows.

A model that meets a character beyond its vocabulary writes nonsense. Symbols need no translation,
so they stay where they are, and the text between them is translated.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from app.translation.protection import blank_fixed
from model.text.normalise import straighten_quotes

_NEITHER_WORD_NOR_SPACE = re.compile(r"[^\w\s]")
#: What belongs to an emoji before it: joiners, variation selectors, the key of a keycap, tags.
_EXTENDERS = "\u200d\u20e3\ufe0e\ufe0f\U000e0020-\U000e007f"
#: Symbols that make one word of the letters on both sides: `AT&T`, `20°C`.
_IN_WORD = re.compile(r"(?<=[^\W_])[&@#*+/=~^°·]+(?=[^\W_])")
_WORD = re.compile(r"\S+")
_BEFORE_WORDS = re.compile(r"[\s.,;:!?)\]}…、。，！？]*")


def split_at_symbols(text: str, can_read: Callable[[str], bool]) -> list[tuple[str, bool]]:
    """Returns the pieces of a text, which join to the text, and whether each is to be kept.

    Args:
        text: a sentence.
        can_read: tells whether the model can read a text.
    """
    symbols = unreadable_symbols(text, can_read)
    if not symbols:
        return [(text, False)]
    open_text = blank_fixed(text)
    run = re.compile(f"[{re.escape(''.join(sorted(symbols)))}{_EXTENDERS}]+")
    pieces, place = list[tuple[str, bool]](), 0
    for word in _WORD.finditer(open_text):
        kept = [match.span() for match in run.finditer(open_text, *word.span())]
        if kept and any(symbols.intersection(each) for each in _IN_WORD.findall(word[0])):
            kept = [word.span()]
        for start, end in kept:
            if place < start:
                pieces.append((text[place:start], False))
            pieces.append((text[start:end], True))
            place = end
    return [*pieces, (text[place:], False)] if place < len(text) else pieces


def split_ends(piece: str) -> tuple[str, str, str]:
    """Splits a piece into the space and marks that belong to the piece before, its words, and the
    space after them."""
    start = _BEFORE_WORDS.match(piece).end()  # type: ignore[union-attr]
    end = max(start, len(piece.rstrip()))
    return piece[:start], piece[start:end], piece[end:]


def unreadable_symbols(text: str, can_read: Callable[[str], bool]) -> set[str]:
    """Returns the symbols and punctuation marks of a text that the model cannot read, neither as
    written nor, if it is a quote, straight."""
    return {
        char
        for char in set(_NEITHER_WORD_NOR_SPACE.findall(text))
        if unicodedata.category(char)[0] in "PS"
        and not can_read(char)
        and not can_read(straighten_quotes(char))
    }


def readable_quotes(text: str, can_read: Callable[[str], bool]) -> str:
    """Returns a text with straight quotes if the model cannot read those that it has."""
    straight = straighten_quotes(text)
    return text if straight == text or can_read(text) else straight
