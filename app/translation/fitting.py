"""Division of sentences that are too long for a model."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from app.translation.protection import fixed_spans
from app.translation.words import Span, break_spans

#: Marks within a sentence after which it is divided first.
_CLAUSE_MARKS = ",;:)–—、，；：）"
#: The share of a text, from its middle to either side, in which a clause mark is looked for.
_MIDDLE_SHARE = 0.25


def halves(text: str) -> tuple[str, str, str]:
    """Returns the first half of a text of at least two characters, the space after it, and the
    second half. Neither half is empty, and nothing protected is cut, unless the text is that."""
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
    """Tells whether `place` is inside one of `spans`, which are in order and apart."""
    after = bisect_left(spans, (place, place)) - 1
    return after >= 0 and place < spans[after][1]
