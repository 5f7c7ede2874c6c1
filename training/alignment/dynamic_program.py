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

from model.types import Float64, Int64
from training.alignment.features import LENGTH_FLOOR, Side, border_distance
from training.alignment.segments import Ending
from training.alignment.word_links import Links

# Costs are in nats.
#: A group of one sentence on each side, its first extra sentence, and each further one.
ONE_TO_ONE_COST, FIRST_EXTRA_COST, EXTRA_SENTENCE_COST = 0.2, 3.6, 3.0
#: A segment that the other file lacks: the base, the extra if its links are average for its file,
#: and the weight that is added to both numbers of links.
GAP_COST, LINKED_GAP_COST, LINKS_FLOOR = 1.0, 2.0, 0.5
#: A border costs one nat per so many seconds between the files; a longer distance costs no more.
SECONDS_PER_NAT, MAX_DISTANCE_SECONDS = 0.5, 4.0
#: A border that one link crosses, and the power of the number of links: a few cross wherever the
#: word order differs.
CROSSED_LINK_COST, CROSSED_LINK_POWER = 1.2, 1.5
#: A group's first or last segment that falls into a silence of the other side.
LONE_SEGMENT_COST = 2.0
#: A border within a sentence of both files.
MID_SENTENCE_COST = 8.0
#: The factor for an unmarked end where a clause ends, and the silence that replaces a mark.
CLAUSE_FACTOR, PAUSE_SECONDS = 0.3, 1.0

#: The most sentences and segments of a group on either side.
MAX_SENTENCES, MAX_SEGMENTS = 4, 12
#: The most seconds between segments that are compared, and the most of them.
BAND_SECONDS, MAX_BAND_WIDTH = 20.0, 200

_SOURCE_GAP, _TARGET_GAP = MAX_SEGMENTS**2, MAX_SEGMENTS**2 + 1
_MOVES = [
    *((a, b) for a in range(1, MAX_SEGMENTS + 1) for b in range(1, MAX_SEGMENTS + 1)),
    (1, 0),
    (0, 1),
]
_PRIORS = np.full((MAX_SEGMENTS + 1, MAX_SEGMENTS + 1), np.inf)
for _a, _b in np.ndindex(MAX_SENTENCES, MAX_SENTENCES):
    _PRIORS[_a + 1, _b + 1] = (
        FIRST_EXTRA_COST + EXTRA_SENTENCE_COST * (_a + _b - 1) if _a + _b else ONE_TO_ONE_COST
    )


class Group(NamedTuple):
    """Segments with the same meaning: start and stop on each side."""

    source: tuple[int, int]
    target: tuple[int, int]


def cheapest_groups(source: Side, target: Side, links: Links) -> list[Group]:
    """Returns the groups of the cheapest path, in order.

    Row i holds the costs of the paths that end at the source's border i, in a band of the target's
    borders. The group before a border and the group after it each pay half of its cost.
    """
    source_gaps = _gap_costs(links.source, links.weights, len(source))
    target_gaps = np.append(0.0, np.cumsum(_gap_costs(links.target, links.weights, len(target))))
    open_costs: deque[Float64] = deque(maxlen=MAX_SEGMENTS)
    row_above = np.full(len(target) + 1, np.inf)
    rows = []
    for i, (band, crossing) in enumerate(
        zip(_bands(source, target), _crossing_links(source, target, links), strict=True)
    ):
        linked = CROSSED_LINK_COST * crossing[band] ** CROSSED_LINK_POWER
        border = (_border_costs(source, target, i, band) + linked) / 2
        if i:
            best, moves = _cheapest_ending_at(source, target, i, band, open_costs)
            best += border + _lone_last_costs(source, target, i, band)
            after_source_gap = row_above[band] + source_gaps[i - 1]
        else:
            best, moves = np.full(band.stop, np.inf), np.zeros(band.stop, np.int16)
            after_source_gap = np.where(np.arange(band.stop) == 0, 0.0, np.inf)
        moves[after_source_gap < best] = _SOURCE_GAP
        best = np.minimum(best, after_source_gap)
        after_target_gaps = np.minimum.accumulate(best - target_gaps[band]) + target_gaps[band]
        moves[after_target_gaps < best - 1e-9] = _TARGET_GAP
        row_above, opened_here = np.full(len(target) + 1, np.inf), np.full(len(target) + 1, np.inf)
        row_above[band] = after_target_gaps
        opened_here[band] = after_target_gaps + border + _lone_first_costs(source, target, i, band)
        open_costs.appendleft(opened_here)
        rows.append((band.start, moves))
    return list(_backtrack(rows, len(source), len(target)))[::-1]


def _gap_costs(segments: Int64, weights: Float64, count: int) -> Float64:
    """Returns the cost of each segment if the other file lacks it."""
    linked = np.bincount(segments, weights, count)
    return GAP_COST + LINKED_GAP_COST * (linked + LINKS_FLOOR) / (linked.mean() + LINKS_FLOOR)


def _bands(source: Side, target: Side) -> Iterator[slice]:
    """Yields the band of near target borders of each row; each overlaps the one before."""
    lows = np.searchsorted(target.borders[1:, 0], source.borders[:-1, 1] - BAND_SECONDS)
    highs = np.searchsorted(target.borders[:-1, 1], source.borders[1:, 0] + BAND_SECONDS)
    low, high = 0, min(int(highs[0]), MAX_BAND_WIDTH)
    yield slice(0, high + 1)
    for i in range(len(source)):
        low = max(low, min(int(lows[i]), high))
        high = max(high, min(int(highs[i]), low + MAX_BAND_WIDTH))
        yield slice(low, len(target) + 1 if i == len(source) - 1 else high + 1)


def _crossing_links(source: Side, target: Side, links: Links) -> Iterator[Float64]:
    """Yields, for each row, the links that cross each target border, `(target borders,)`."""
    stops = np.searchsorted(links.source, np.arange(len(source) + 1))
    before = np.append(0.0, np.cumsum(np.bincount(links.target, links.weights, len(target))))
    both = np.zeros(len(target) + 1)  # weight of the links before both borders
    for start, stop in zip(np.append(0, stops), stops, strict=False):
        row = np.bincount(links.target[start:stop], links.weights[start:stop], len(target))
        both[1:] += np.cumsum(row)
        yield np.maximum(0.0, both[-1] + before - 2 * both)


def _border_costs(source: Side, target: Side, index: int, indices: slice) -> Float64:
    """Returns the costs of source border `index` with each of the target's, links apart."""
    border, borders = source.borders[index], target.borders[indices]
    ending, endings = source.endings[index], target.endings[indices]
    least, most = np.minimum(ending, endings), np.maximum(ending, endings)
    silence = np.maximum(border[1] - border[0], borders[:, 1] - borders[:, 0])
    unmarked = np.where(ending < endings, source.surprise, target.surprise)
    unmarked = unmarked * np.where(least == Ending.CLAUSE, CLAUSE_FACTOR, 1.0)
    unmarked = unmarked * np.exp(-np.maximum(0.0, silence) / PAUSE_SECONDS)
    mark = np.where(least == Ending.SENTENCE, 0.0, unmarked)
    mark = np.where(most < Ending.SENTENCE, MID_SENTENCE_COST, mark)
    return (
        np.minimum(border_distance(source, target, index, indices), MAX_DISTANCE_SECONDS)
        / SECONDS_PER_NAT
        + mark
    )


def _lone_last_costs(source: Side, target: Side, i: int, band: slice) -> Float64:
    """Returns the costs of groups whose last segment starts after the other side has ended."""
    starts = np.append(-np.inf, target.borders[:-1, 1])[band]
    return LONE_SEGMENT_COST * (
        (starts >= source.borders[i, 0]) | (source.borders[i - 1, 1] >= target.borders[band, 0])
    )


def _lone_first_costs(source: Side, target: Side, i: int, band: slice) -> Float64:
    """Returns the costs of groups whose first segment ends before the other side starts."""
    ends = np.append(target.borders[1:, 0], np.inf)[band]
    end = source.borders[i + 1, 0] if i < len(source) else np.inf
    return LONE_SEGMENT_COST * ((ends <= source.borders[i, 1]) | (end <= target.borders[band, 1]))


def _cheapest_ending_at(
    source: Side, target: Side, i: int, band: slice, open_costs: deque[Float64]
) -> tuple[Float64, npt.NDArray[np.int16]]:
    """Returns costs of the cheapest groups that end in row i, less that border, and their moves.

    Args:
        open_costs: the costs of the rows above, with the half of the border that the group after it
            pays, the nearest row first.
    """
    sizes = np.arange(1, MAX_SEGMENTS + 1)
    ends = np.arange(band.start, band.stop)
    starts = ends - sizes[:, None]
    starts_or_first = np.maximum(0, starts)
    rows_above = i - sizes[: len(open_costs)]
    source_sentences = 1 + source.sentences[i - 1] - source.sentences[rows_above]
    target_sentences = (
        1 + target.sentences[np.maximum(0, ends - 1)] - target.sentences[starts_or_first]
    )
    source_lengths = source.lengths[i] - source.lengths[rows_above] + LENGTH_FLOOR
    target_lengths = target.lengths[ends] - target.lengths[starts_or_first] + LENGTH_FLOOR
    costs = np.stack(open_costs)[:, starts_or_first]  # (source sizes, target sizes, band)
    costs += _PRIORS[source_sentences[:, None, None], np.maximum(0, target_sentences)]
    costs += np.abs(np.log(source_lengths[:, None, None] / target_lengths))
    costs[:, starts < 0] = np.inf
    flat = costs.reshape(-1, len(ends))
    moves = flat.argmin(axis=0)
    return flat[moves, np.arange(len(ends))], moves.astype(np.int16)


def _backtrack(rows: list[tuple[int, npt.NDArray[np.int16]]], i: int, j: int) -> Iterator[Group]:
    while i or j:
        low, moves = rows[i]
        a, b = _MOVES[moves[j - low]]
        if a and b:
            yield Group((i - a, i), (j - b, j))
        i, j = i - a, j - b
