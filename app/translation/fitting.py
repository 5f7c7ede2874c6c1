"""Splitting of sentences that are too long for a model."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from app.translation.protection import fixed_spans
from app.translation.words import Span, break_spans

#: Marks within a sentence after which it is preferably split.
_CLAUSE_MARKS = ",;:)–—、，；：）"
#: Maximum distance of such a mark from the middle, as a share of the text.
_MIDDLE_SHARE = 0.25


def split_in_half(text: str) -> tuple[str, str, str]:
    """Splits a text of at least two characters into its first half, the space after it, and the
    second half. Neither half is empty, and no protected part is cut unless it is all of the
    text."""
    middle = len(text) / 2
    fixed = fixed_spans(text)
    places = [place for place in break_spans(text) if 0 < place[0] and place[1] < len(text)] or [
        (place, place) for place in range(1, len(text))
    ]
    uncut = [place for place in places if not _is_within(place[0], fixed)] or places
    near = [
        place
        for place in uncut
        if text[place[0] - 1] in _CLAUSE_MARKS
        and abs(place[0] - middle) < _MIDDLE_SHARE * len(text)
    ]
    first, second = min(near or uncut, key=lambda place: abs(place[0] - middle))
    return text[:first], text[first:second], text[second:]


def _is_within(place: int, spans: Sequence[Span]) -> bool:
    """Tells whether `place` is inside one of `spans`, which are sorted and disjoint."""
    after = bisect_left(spans, (place, place)) - 1
    return after >= 0 and place < spans[after][1]
