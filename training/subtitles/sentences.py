"""Ends of sentences in all scripts, the same for turns and for segments. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Question and exclamation marks: Latin, full-width, Arabic, Ethiopic, Greek.
QUESTION_EXCLAMATION_MARKS = "?!？！؟⸮‽‼⁇⁈⁉﹖﹗፧\u037e"
#: Marks that end a sentence without a space after them.
WIDE_MARKS = "。！？｡︒"
#: All marks that end a sentence; besides the above: Latin, Devanagari, Urdu, Ethiopic, Burmese,
#: Khmer, Tibetan and Armenian full stops.
END_MARKS = ".…" + QUESTION_EXCLAMATION_MARKS + WIDE_MARKS + "．।॥۔።။។៕།༎։"
#: Quotes and brackets that may follow.
CLOSERS = "\"'”’»)\\]」』）›"
#: Quotes, brackets and inverted marks that may precede the first word.
OPENERS = "\"'“”„‘‚«»‹›(（\\[「『¿¡…."
#: The most characters of a full stop with the quotes and spaces after it: a text may be very long.
MAX_END_CHARACTERS = 40

_END = re.compile(rf"[{END_MARKS}][{CLOSERS}]*\s*$")
_QUESTION = re.compile(rf"[?？؟⸮⁇﹖፧\u037e][{CLOSERS}]*$")
_QUESTION_OR_EXCLAMATION = re.compile(rf"[{QUESTION_EXCLAMATION_MARKS}][{CLOSERS}]*$")
_ENDS = re.compile(rf"(?<![{END_MARKS}])[{END_MARKS}]++[{CLOSERS}]*(?:\s+|(?<=[{WIDE_MARKS}」』]))")
#: Full stops that end nothing: `Mr. Smith`
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'“„«.])(?:Mrs?|Ms|Dr|St|vs|Prof|Sra?|Mme|bzw|ca|Nr|No)\.\s+$"
)
#: A full stop after an initial, or two: `J. Jones`, `z. B.`, but also `up to x. Now`.
_INITIAL = re.compile(r"(?:^|[\s(\"'“„«])([^\W\d_]\. ?)?([^\W\d_])\.\s+$")


def is_ended(text: str) -> bool:
    """Tells whether a text ends with the end of a sentence."""
    return bool(_END.search(text[-MAX_END_CHARACTERS:]))


def is_question(text: str) -> bool:
    """Tells whether a text ends with a question mark."""
    return bool(_QUESTION.search(text[-MAX_END_CHARACTERS:]))


def is_question_or_exclamation(text: str) -> bool:
    """Tells whether a text ends with a question or an exclamation mark."""
    return bool(_QUESTION_OR_EXCLAMATION.search(text[-MAX_END_CHARACTERS:]))


def sentences_of(text: str) -> Iterator[str]:
    """Yields the sentences of a text, in order, without the spaces between them."""
    start = 0
    for mark in _ENDS.finditer(text):
        end = text[max(start, mark.end() - MAX_END_CHARACTERS) : mark.end()]
        rest = text[mark.end() : mark.end() + 2]
        if rest and not rest[0].islower() and not _is_abbreviation(end, rest):
            yield text[start : mark.end()].strip()
            start = mark.end()
    yield text[start:].strip()


def _is_abbreviation(end: str, rest: str) -> bool:
    """Tells whether the full stop at the end belongs to an abbreviation, by the text around it."""
    initial = _INITIAL.search(end)
    if initial:
        return initial[2].isupper() or initial[1] is not None or rest[1:2] == "."
    return bool(_ABBREVIATION.search(end))
