"""Two cue lists of one film to pairs of texts that say the same.

Pure, and blind to what words mean: times, lengths and punctuation decide, in any two languages. On
one clock (`timing.py`), a dynamic program takes the cheapest monotone
alignment of 1-1, 1-2, 2-1 and 2-2 sentences, and gaps. A sentence may run over several cues, and
two files part it in different places: so groups are made of segments (`segments.py`), and borders
between groups cost little where both files agree in time that a sentence ends there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from training.corpus.records import Cue
from training.corpus.segments import Ending, Segment, segments_of
from training.corpus.speech import joined
from training.corpus.timing import Timing

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Pairs below it are mostly of sentences that only one file has.
MIN_SCORE = 0.6

# Costs are in nats: how surprising a thing is.
#: Of a group, by its numbers of sentences.
SENTENCES = {(1, 1): 0.2, (1, 2): 3.0, (2, 1): 3.0, (2, 2): 5.0}
MOST_SENTENCES = 2
#: Of a segment that the other file lacks.
GAP = 3.0
#: Of a border, for each so many seconds that the files differ there; more than `FARTHEST` is alike.
BORDER_SECONDS, FARTHEST = 0.5, 4.0
#: Of a group's first or last segment that is said in a silence of the other side.
ALONE = 3.0
#: Of a border within a sentence of both files.
WITHIN = 4.0
#: The share of sentences that a file marks, if it marks as many as the other one.
MARKED = 0.95
#: Of an unmarked end, where a clause ends there; and the silence that makes up for a mark.
CLAUSE, PAUSE_SECONDS = 0.35, 1.0
#: Files that end so few segments with a full stop do without.
LEAST_MARKED = 0.15
#: Characters that are added to lengths, since short texts vary more.
LENGTH_FLOOR = 10.0

#: Segments of a group on either side, at most, and by how many the sides may differ.
LONGEST, MOST_DIFFERENT = 7, 4
#: Seconds by which segments that are compared are apart, at most.
BAND_SECONDS = 20.0

_SIZES = [
    (a, b) for a, b in product(range(1, LONGEST + 1), repeat=2) if abs(a - b) <= MOST_DIFFERENT
]
_MOVES = [*_SIZES, (1, 0), (0, 1)]
_SOURCE_GAP, _TARGET_GAP = len(_SIZES), len(_SIZES) + 1
_PRIORS = np.full((LONGEST + 1, LONGEST + 1), np.inf)
for _counts, _cost in SENTENCES.items():
    _PRIORS[_counts] = _cost


@dataclass(frozen=True)
class Pair:
    """What both files say.

    Attributes:
        source, target: at least one segment each, in order.
        score: 0 to 1, by overlap of their times, agreement of their borders, and lengths.
    """

    source: tuple[Segment, ...]
    target: tuple[Segment, ...]
    score: float

    @property
    def source_text(self) -> str:
        """On one line."""
        return text_of(self.source)

    @property
    def target_text(self) -> str:
        """On one line."""
        return text_of(self.target)


def align(source: Sequence[Cue], target: Sequence[Cue], timing: Timing) -> list[Pair]:
    """All pairs of two files of one film, in order; no text is in two of them.

    Args:
        source: the cues of one file, in any order.
        target: the cues of the other.
        timing: from the target's clock to the source's (`estimate_timing`).
    """
    ours, theirs = segments_of(source), segments_of(target)
    if not ours or not theirs:
        return []
    sides = _sides(ours, theirs, timing)
    return [
        Pair(tuple(ours[a:b]), tuple(theirs[c:d]), _score(*sides, (a, b), (c, d)))
        for (a, b), (c, d) in _path(*sides)
    ]


def text_of(segments: Sequence[Segment]) -> str:
    """Their text, on one line."""
    text = segments[0].text
    for segment in segments[1:]:
        text = joined(text, segment.text)
    return text


@dataclass(frozen=True)
class _Side:
    """A file as arrays, on the source's clock and in the source's characters.

    Attributes:
        borders: `(segments + 1, 2)`: from the end of what is before to the start of what is behind.
        lengths: characters before each border, `(segments + 1,)`.
        endings: what ends at each border, `(segments + 1,)`.
        sentences: sentences that end before or at each border, `(segments + 1,)`.
        surprise: nats of a sentence whose end is not marked.
    """

    borders: Floats
    lengths: Floats
    endings: Ints
    sentences: Ints
    surprise: float

    def __len__(self) -> int:
        return len(self.lengths) - 1


def _sides(source: list[Segment], target: list[Segment], timing: Timing) -> tuple[_Side, _Side]:
    counts = [sum(each.ending == Ending.SENTENCE for each in side) for side in (source, target)]
    are_marked = any(
        count >= LEAST_MARKED * len(side)
        for count, side in zip(counts, (source, target), strict=True)
    )
    characters = [sum(len(each.text) for each in side) for side in (source, target)]
    ratio = characters[0] / characters[1]
    marks = (counts[0] + 1) / (counts[1] + 1)
    return (
        _side(source, Timing(), 1.0, are_marked, marks),
        _side(target, timing, ratio, are_marked, 1 / marks),
    )


def _side(
    segments: list[Segment], timing: Timing, ratio: float, are_marked: bool, marks: float
) -> _Side:
    starts = timing(np.array([each.start for each in segments]))
    ends = np.maximum.accumulate(timing(np.array([each.end for each in segments])))
    endings = [Ending.SENTENCE, *(each.ending for each in segments)]
    if not are_marked:  # each cue is as good as a sentence
        endings = [Ending.SENTENCE] * len(endings)
    return _Side(
        borders=np.stack([np.append(-np.inf, ends), np.append(starts, np.inf)], axis=1),
        lengths=ratio * np.cumsum([0, *(len(each.text) for each in segments)]),
        endings=np.array(endings),
        sentences=np.cumsum(np.array(endings) == Ending.SENTENCE),
        surprise=-float(np.log(1 - MARKED * min(1.0, marks))),
    )


def _apart(source: Floats, targets: Floats) -> Floats:
    """Seconds between borders: none if they share a moment. `(2,)`, `(n, 2)` -> `(n,)`"""
    between = np.maximum(targets[:, 0] - source[1], source[0] - targets[:, 1])
    return np.asarray(np.maximum(0.0, between))


def _border_costs(s: _Side, t: _Side, place: int, places: slice) -> Floats:
    """Of the source's border `place` with each of the target's `places`."""
    border, borders = s.borders[place], t.borders[places]
    ending, endings = s.endings[place], t.endings[places]
    least, most = np.minimum(ending, endings), np.maximum(ending, endings)
    silence = np.maximum(border[1] - border[0], borders[:, 1] - borders[:, 0])
    unmarked = np.where(ending < endings, s.surprise, t.surprise)
    unmarked = unmarked * np.where(least == Ending.CLAUSE, CLAUSE, 1.0)
    unmarked = unmarked * np.exp(-np.maximum(0.0, silence) / PAUSE_SECONDS)
    mark = np.where(least == Ending.SENTENCE, 0.0, unmarked)
    mark = np.where(most < Ending.SENTENCE, WITHIN, mark)
    return np.minimum(_apart(border, borders), FARTHEST) / BORDER_SECONDS + mark


def _path(s: _Side, t: _Side) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Groups of the cheapest path: from and to, of source and of target.

    Row i holds the costs of all that ends at the source's border i, in a band of the target's
    borders. Half a border's cost falls to the group before it, half to the one behind.
    """
    highs = np.searchsorted(t.borders[:-1, 1], s.borders[1:, 0] + BAND_SECONDS)
    lows = np.searchsorted(t.borders[1:, 0], s.borders[:-1, 1] - BAND_SECONDS)
    high = int(highs[0])
    costs = np.full(len(t) + 1, np.inf)
    costs[: high + 1] = GAP * np.arange(high + 1)
    opened: deque[Floats] = deque(maxlen=LONGEST)
    rows = [(0, np.full(high + 1, _TARGET_GAP, np.int8))]
    opened.appendleft(_opened(s, t, 0, slice(0, high + 1), costs))
    for i in range(1, len(s) + 1):
        low, high = min(int(lows[i - 1]), high), max(high, int(highs[i - 1]))
        band = slice(low, len(t) + 1 if i == len(s) else high + 1)
        costs, moves = _row(s, t, i, band, opened, costs)
        rows.append((band.start, moves))
        opened.appendleft(_opened(s, t, i, band, costs))
    yield from reversed(list(_walk_back(rows, len(s), len(t))))


def _opened(s: _Side, t: _Side, i: int, band: slice, costs: Floats) -> Floats:
    """Costs of row i with the half of its borders that falls to the groups behind them."""
    opened = np.full(len(t) + 1, np.inf)
    opened[band] = costs[band] + _border_costs(s, t, i, band) / 2
    ends = np.append(t.borders[1:, 0], np.inf)  # of the segment behind each border
    own_end = s.borders[i + 1, 0] if i < len(s) else np.inf
    opened[band] += ALONE * (ends[band] <= s.borders[i, 1])
    opened[band] += ALONE * (own_end <= t.borders[band, 1])
    return opened


def _row(
    s: _Side, t: _Side, i: int, band: slice, opened: deque[Floats], above: Floats
) -> tuple[Floats, npt.NDArray[np.int8]]:
    """Costs of row i, and the last move of each cell in the band."""
    width = band.stop - band.start
    best, moves = np.full(width, np.inf), np.zeros(width, np.int8)
    for number, (a, b) in enumerate(_SIZES):
        if a > len(opened) or b >= band.stop:
            continue
        if (ours := s.sentences[i - 1] - s.sentences[i - a] + 1) > MOST_SENTENCES:
            continue
        ends = slice(max(band.start, b), band.stop)
        starts = slice(ends.start - b, ends.stop - b)
        theirs = t.sentences[ends.start - 1 : ends.stop - 1] - t.sentences[starts] + 1
        lengths = t.lengths[ends] - t.lengths[starts] + LENGTH_FLOOR
        difference = np.log((s.lengths[i] - s.lengths[i - a] + LENGTH_FLOOR) / lengths)
        cost = opened[a - 1][starts] + _PRIORS[ours, theirs] + np.abs(difference)
        cells = best[ends.start - band.start :]
        is_better = cost < cells
        cells[is_better] = cost[is_better]
        moves[ends.start - band.start :][is_better] = number
    starts_of_last = np.append(-np.inf, t.borders[:-1, 1])
    best += ALONE * (starts_of_last[band] >= s.borders[i, 0])
    best += ALONE * (s.borders[i - 1, 1] >= t.borders[band, 0])
    best += _border_costs(s, t, i, band) / 2
    moves[above[band] + GAP < best] = _SOURCE_GAP
    best = np.minimum(best, above[band] + GAP)
    gaps = GAP * np.arange(width)
    after_gaps = np.minimum.accumulate(best - gaps) + gaps
    moves[after_gaps < best - 1e-9] = _TARGET_GAP
    costs = np.full(len(t) + 1, np.inf)
    costs[band] = after_gaps
    return costs, moves


def _walk_back(
    rows: list[tuple[int, npt.NDArray[np.int8]]], i: int, j: int
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    while i or j:
        low, moves = rows[i]
        a, b = _MOVES[moves[j - low]]
        if a and b:
            yield (i - a, i), (j - b, j)
        i, j = i - a, j - b


def _score(s: _Side, t: _Side, ours: tuple[int, int], theirs: tuple[int, int]) -> float:
    """1 if one time holds the other, the borders agree (they may lie anywhere in a silence) and
    the lengths do."""
    apart = sum(
        float(_apart(s.borders[i], t.borders[j : j + 1])[0])
        for i, j in zip(ours, theirs, strict=True)
    )
    sides = ((s, ours), (t, theirs))
    starts = [side.borders[start, 1] for side, (start, _) in sides]
    ends = [side.borders[end, 0] for side, (_, end) in sides]
    shorter = max(0.1, min(end - start for start, end in zip(starts, ends, strict=True)))
    overlap = max(0.0, min(ends) - max(starts)) / shorter
    lengths = sorted(
        side.lengths[end] - side.lengths[start] + LENGTH_FLOOR for side, (start, end) in sides
    )
    agreement = max(0.0, 1 - apart / shorter)
    return float(agreement * min(1.0, overlap) ** 0.5 * (lengths[0] / lengths[1]) ** 0.5)
