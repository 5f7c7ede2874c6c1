"""The cheapest segmentation of two files into groups with the same meaning.

A dynamic program over all borders of both files, as in Gale and Church 1993 ("A program for
aligning sentences in bilingual corpora"). A path is a sequence of groups and gaps. It pays for each
group's numbers of sentences and lengths, for segments that only one file has, and for borders:
where the files disagree in time (Tiedemann 2007, "Improved sentence alignment for movie
subtitles"), where a sentence continues, and where word links cross (`word_links.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.alignment.features import LENGTH_FLOOR, Floats, Ints, Side, apart
from training.alignment.segments import Ending
from training.alignment.word_links import Links

# Costs are in nats.
#: A group of one sentence on each side, its first extra sentence, and each further one.
ONE_TO_ONE, FIRST_MORE, MORE = 0.2, 3.6, 3.0
#: A segment that the other file lacks: the base, the extra if its links are average for its file,
#: and the weight that is added to both numbers of links.
GAP, GAP_LINKED, LINKS_FLOOR = 1.0, 2.0, 0.5
#: A border costs one nat for each of these seconds between the files, up to a maximum distance.
BORDER_SECONDS, FARTHEST = 0.5, 4.0
#: A border that one link crosses, and the power of the number of links: a few cross wherever the
#: word order differs.
CROSSED, CROSSED_POWER = 1.2, 1.5
#: A group's first or last segment that falls into a silence of the other side.
ALONE = 2.0
#: A border within a sentence of both files.
WITHIN = 8.0
#: The factor for an unmarked end where a clause ends, and the silence that replaces a mark.
CLAUSE, PAUSE_SECONDS = 0.3, 1.0

#: The most sentences and segments of a group on either side.
MOST_SENTENCES, LONGEST = 4, 12
#: The most seconds between segments that are compared, and the most of them.
BAND_SECONDS, WIDEST_BAND = 20.0, 200

_SOURCE_GAP, _TARGET_GAP = LONGEST**2, LONGEST**2 + 1
_MOVES = [
    *((a, b) for a in range(1, LONGEST + 1) for b in range(1, LONGEST + 1)),
    (1, 0),
    (0, 1),
]
_PRIORS = np.full((LONGEST + 1, LONGEST + 1), np.inf)
for _a, _b in np.ndindex(MOST_SENTENCES, MOST_SENTENCES):
    _PRIORS[_a + 1, _b + 1] = FIRST_MORE + MORE * (_a + _b - 1) if _a + _b else ONE_TO_ONE


class Group(NamedTuple):
    """Segments with the same meaning: start and stop on each side."""

    source: tuple[int, int]
    target: tuple[int, int]


def cheapest_groups(s: Side, t: Side, links: Links) -> list[Group]:
    """Returns the groups of the cheapest path, in order.

    Row i holds the costs of the paths that end at the source's border i, in a band of the target's
    borders. The group before a border and the group after it each pay half of its cost.
    """
    gaps = _gap_costs(links.source, links.weights, len(s))
    passed = np.append(0.0, np.cumsum(_gap_costs(links.target, links.weights, len(t))))
    opened: deque[Floats] = deque(maxlen=LONGEST)
    above = np.full(len(t) + 1, np.inf)
    rows = []
    for i, (band, crossed) in enumerate(zip(_bands(s, t), _crossed(s, t, links), strict=True)):
        linked = CROSSED * crossed[band] ** CROSSED_POWER
        border = (_border_costs(s, t, i, band) + linked) / 2
        if i:
            best, moves = _closed(s, t, i, band, opened)
            best += border + _alone_before(s, t, i, band)
            with_gap = above[band] + gaps[i - 1]
        else:
            best, moves = np.full(band.stop, np.inf), np.zeros(band.stop, np.int16)
            with_gap = np.where(np.arange(band.stop) == 0, 0.0, np.inf)
        moves[with_gap < best] = _SOURCE_GAP
        best = np.minimum(best, with_gap)
        after_gaps = np.minimum.accumulate(best - passed[band]) + passed[band]
        moves[after_gaps < best - 1e-9] = _TARGET_GAP
        above, behind = np.full(len(t) + 1, np.inf), np.full(len(t) + 1, np.inf)
        above[band] = after_gaps
        behind[band] = after_gaps + border + _alone_behind(s, t, i, band)
        opened.appendleft(behind)
        rows.append((band.start, moves))
    return list(_walk_back(rows, len(s), len(t)))[::-1]


def _gap_costs(segments: Ints, weights: Floats, count: int) -> Floats:
    """Returns the cost of each segment if the other file lacks it."""
    linked = np.bincount(segments, weights, count)
    return GAP + GAP_LINKED * (linked + LINKS_FLOOR) / (linked.mean() + LINKS_FLOOR)


def _bands(s: Side, t: Side) -> Iterator[slice]:
    """Yields the band of near target borders of each row; each overlaps the one before."""
    lows = np.searchsorted(t.borders[1:, 0], s.borders[:-1, 1] - BAND_SECONDS)
    highs = np.searchsorted(t.borders[:-1, 1], s.borders[1:, 0] + BAND_SECONDS)
    low, high = 0, min(int(highs[0]), WIDEST_BAND)
    yield slice(0, high + 1)
    for i in range(len(s)):
        low = max(low, min(int(lows[i]), high))
        high = max(high, min(int(highs[i]), low + WIDEST_BAND))
        yield slice(low, len(t) + 1 if i == len(s) - 1 else high + 1)


def _crossed(s: Side, t: Side, links: Links) -> Iterator[Floats]:
    """Yields, for each row, the links that cross each target border, `(target borders,)`."""
    stops = np.searchsorted(links.source, np.arange(len(s) + 1))
    before = np.append(0.0, np.cumsum(np.bincount(links.target, links.weights, len(t))))
    both = np.zeros(len(t) + 1)  # weight of the links before both borders
    for start, stop in zip(np.append(0, stops), stops, strict=False):
        row = np.bincount(links.target[start:stop], links.weights[start:stop], len(t))
        both[1:] += np.cumsum(row)
        yield np.maximum(0.0, both[-1] + before - 2 * both)


def _border_costs(s: Side, t: Side, place: int, places: slice) -> Floats:
    """Returns the costs of source border `place` with each of the target's, links apart."""
    border, borders = s.borders[place], t.borders[places]
    ending, endings = s.endings[place], t.endings[places]
    least, most = np.minimum(ending, endings), np.maximum(ending, endings)
    silence = np.maximum(border[1] - border[0], borders[:, 1] - borders[:, 0])
    unmarked = np.where(ending < endings, s.surprise, t.surprise)
    unmarked = unmarked * np.where(least == Ending.CLAUSE, CLAUSE, 1.0)
    unmarked = unmarked * np.exp(-np.maximum(0.0, silence) / PAUSE_SECONDS)
    mark = np.where(least == Ending.SENTENCE, 0.0, unmarked)
    mark = np.where(most < Ending.SENTENCE, WITHIN, mark)
    return np.minimum(apart(s, t, place, places), FARTHEST) / BORDER_SECONDS + mark


def _alone_before(s: Side, t: Side, i: int, band: slice) -> Floats:
    """Returns the costs of groups whose last segment starts after the other side has ended."""
    starts = np.append(-np.inf, t.borders[:-1, 1])[band]
    return ALONE * ((starts >= s.borders[i, 0]) | (s.borders[i - 1, 1] >= t.borders[band, 0]))


def _alone_behind(s: Side, t: Side, i: int, band: slice) -> Floats:
    """Returns the costs of groups whose first segment ends before the other side starts."""
    ends = np.append(t.borders[1:, 0], np.inf)[band]
    end = s.borders[i + 1, 0] if i < len(s) else np.inf
    return ALONE * ((ends <= s.borders[i, 1]) | (end <= t.borders[band, 1]))


def _closed(
    s: Side, t: Side, i: int, band: slice, opened: deque[Floats]
) -> tuple[Floats, npt.NDArray[np.int16]]:
    """Returns costs of the cheapest groups that end in row i, less that border, and their moves.

    Args:
        opened: the costs of the rows above, with the half of the border that the group after it
            pays, the nearest row first.
    """
    sizes = np.arange(1, LONGEST + 1)
    ends = np.arange(band.start, band.stop)
    starts = ends - sizes[:, None]
    starts_or_first = np.maximum(0, starts)
    above = i - sizes[: len(opened)]
    ours = 1 + s.sentences[i - 1] - s.sentences[above]
    theirs = 1 + t.sentences[np.maximum(0, ends - 1)] - t.sentences[starts_or_first]
    lengths = s.lengths[i] - s.lengths[above] + LENGTH_FLOOR
    others = t.lengths[ends] - t.lengths[starts_or_first] + LENGTH_FLOOR
    costs = np.stack(opened)[:, starts_or_first]  # (source sizes, target sizes, band)
    costs += _PRIORS[ours[:, None, None], np.maximum(0, theirs)]
    costs += np.abs(np.log(lengths[:, None, None] / others))
    costs[:, starts < 0] = np.inf
    flat = costs.reshape(-1, len(ends))
    moves = flat.argmin(axis=0)
    return flat[moves, np.arange(len(ends))], moves.astype(np.int16)


def _walk_back(rows: list[tuple[int, npt.NDArray[np.int16]]], i: int, j: int) -> Iterator[Group]:
    while i or j:
        low, moves = rows[i]
        a, b = _MOVES[moves[j - low]]
        if a and b:
            yield Group((i - a, i), (j - b, j))
        i, j = i - a, j - b
