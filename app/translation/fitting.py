"""Division of sentences that are too long for a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from app.translation.words import break_spans

#: Marks within a sentence after which it is divided first.
_CLAUSE_MARKS = ",;:)–—、，；：）"
#: The share of a text, from its middle to either side, in which a clause mark is looked for.
_MIDDLE_SHARE = 0.25
_SPACES = re.compile(r"\s*")


def divide(text: str, fits: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Yields pieces of `text` that fit, each with the white space after it.

    All pieces and spaces joined are the text. It is divided near the middle: after a clause, else
    between words, else anywhere. One character counts as fitting.
    """
    waiting = [(text, "")]
    while waiting:
        piece, space = waiting.pop()
        if len(piece) < 2 or fits(piece):
            yield piece, space
            continue
        first, gap, second = halves(piece)
        waiting += [(second, space), (first, gap)]


def halves(text: str) -> tuple[str, str, str]:
    """Returns the first half of a text of at least two characters, the space after it, and the
    second half. Neither half is empty."""
    middle = len(text) / 2
    places = [(a, b) for a, b in break_spans(text) if 0 < a and b < len(text)]
    near = [
        (a, b)
        for a, b in places
        if text[a - 1] in _CLAUSE_MARKS and abs(a - middle) < _MIDDLE_SHARE * len(text)
    ]
    cut = int(middle)
    first, second = min(near or places or [(cut, cut)], key=lambda place: abs(place[0] - middle))
    return text[:first], text[first:second], text[second:]
