"""Stretches of a film through which two subtitle files differ by one offset, and what breaks them.

An advert or another cut adds time to one file only, so that the offset between the files is
constant from one break to the next. Which offsets these are is told by times and by words that are
spelt alike; nothing is known of the languages. Each cue of the target rates each offset by how much
likelier what the source shows and says there is, if the offset is right, than by chance (nats). The
stretches are the best chain through these ratings, in which each stretch costs as much as chance
may gain by choosing among all offsets, and cues between two stretches rate nothing.

That a dynamic program with a price on splits finds breaks is from alass (kaegi/alass), which rates
overlaps of cues; here a stretch begins, in both files, behind the one before it, as in chains of
local alignments (Smith and Waterman 1981, "Identification of common molecular subsequences"). That
words which are spelt alike show the map between two texts as a line of dots is from Church 1993
("Char_align: a program for aligning parallel texts at the character level").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.alignment.clock import LONGEST_OFFSET, STEP, Break, Timing, filtered_signals
from training.alignment.word_links import Spoken, Words, likeness, words_in_order
from training.files.records import Cue

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

#: Seconds between two offsets that are compared, and their number to each side of none.
GRID = 0.2
REACH = int(LONGEST_OFFSET / GRID)
#: Nats that a stretch must gain, or it is chance: ratings of thousands of offsets are compared.
STRETCH = 15.0
#: Nats that one cue gives at most (a formula may be said twice in a talk); and the share of cues
#: without a counterpart, which bounds what one takes.
MOST, STRAY = 2.0, 0.05
#: How far, in standard deviations, the signals at the right offset lie above those at others.
CLEAR = 0.5
#: Offsets to each side among which that of a stretch is found to the moment.
NEAR_COLUMNS = 8
#: Nats of a cue for which the source has no time.
OUTSIDE = -1.0
#: The probability that words which are spelt the same are one, and of all alike to a word together.
#: Many are not: the German `die`, `was`, `so` and `in` are no English ones.
SAME, MOST_SAME = 0.2, 0.8
#: Seconds in which that falls to 1/e, and beyond which words are not compared.
NEAR, FARTHEST = 1.5, 6.0
#: Seconds by which a cue of the source that belongs behind a break may come too soon.
MARGIN = 0.5
#: Seconds by which the offsets of two stretches may differ for what is between to be trusted.
SAME_OFFSET = 1.0
#: Rows of ratings; of longer files, several cues are one row.
MOST_ROWS = 4000


class Stretch(NamedTuple):
    """Cues of the target, from `first` to `last`, at one offset.

    Attributes:
        first, last: numbers of cues.
        offset: what is added to the target's times, in seconds.
        evidence: nats by which this is likelier than chance.
    """

    first: int
    last: int
    offset: float
    evidence: float


def find_stretches(source: Sequence[Cue], target: Sequence[Cue], rate: float) -> list[Stretch]:
    """The best chain of stretches, in order; none if nothing agrees.

    Args:
        source, target: cues in order of time, at least one each.
        rate: seconds of the source's clock in one of the target's.
    """
    ours, theirs = _spoken(source, 1.0), _spoken(target, rate)
    likelier = _time_ratings(source, theirs) + _word_ratings(ours, theirs)
    starts = np.array([_steps(each.start) for each in theirs])
    rows = np.arange(0, len(theirs), -(-len(theirs) // MOST_ROWS))
    ends = np.append(rows[1:], len(theirs))
    ratings = np.log(STRAY + (1 - STRAY) * np.exp(np.minimum(likelier, MOST)))
    chain = []
    for first, last, column, evidence in _best_chain(
        np.add.reduceat(ratings, rows, axis=0), starts[rows]
    ):
        begin, end = int(rows[first]), int(ends[last])
        best = _peak(likelier[begin:end].sum(axis=0), column)
        chain.append(Stretch(begin, end - 1, (best - REACH) * GRID, evidence))
    return chain[::-1]


def _peak(ratings: Singles, column: int) -> float:
    """The column of the highest rating that is near, found between columns too.

    Near it, ratings that are bounded for each cue are alike.
    """
    low = max(0, column - NEAR_COLUMNS)
    near = ratings[low : column + NEAR_COLUMNS + 1].astype(np.float64)
    place = int(near.argmax())
    if not 0 < place < len(near) - 1:
        return float(column)
    before, height, after = near[place - 1 : place + 2]
    curvature = before - 2 * height + after
    return low + place + float(0.5 * (before - after) / curvature if curvature else 0.0)


def timing_of(target: Sequence[Cue], clock: Timing, stretches: Sequence[Stretch]) -> Timing:
    """The clock with the offsets of stretches of `target`, at least one, found at its rate.

    A single stretch leaves it the offset that times tell, if that is as good as the same.
    """
    offset = stretches[0].offset
    if len(stretches) == 1 and abs(offset - clock.offset) <= GRID:
        offset = clock.offset
    return replace(
        clock,
        offset=offset,
        breaks=tuple(_break(target, clock.rate, *two) for two in pairwise(stretches)),
        confirmed=tuple(_confirmed(target, stretches)),
    )


def _break(target: Sequence[Cue], rate: float, before: Stretch, after: Stretch) -> Break:
    """Where the second stretch begins."""
    start = target[after.first].start_ms / 1000
    return Break(rate * start + after.offset - MARGIN, start, after.offset - before.offset)


def _confirmed(
    target: Sequence[Cue], stretches: Sequence[Stretch]
) -> Iterator[tuple[float, float]]:
    """From and to, in seconds of the target's clock: stretches, and what is between two of as good
    as one offset, where a translation is free or badly timed."""
    first = stretches[0].first
    for before, after in pairwise([*stretches, None]):
        if before and (after is None or abs(after.offset - before.offset) > SAME_OFFSET):
            yield target[first].start_ms / 1000, target[before.last].end_ms / 1000
            first = after.first if after else 0


def _spoken(cues: Sequence[Cue], rate: float) -> list[Spoken]:
    return [Spoken(cue.text, rate * cue.start_ms / 1000, rate * cue.end_ms / 1000) for cue in cues]


def _steps(seconds: float) -> int:
    return int(seconds / GRID)


def _time_ratings(source: Sequence[Cue], target: Sequence[Spoken]) -> Singles:
    """By where cues begin and how densely they are written, `(cues, offsets)`, in nats."""
    pad, stride = round(LONGEST_OFFSET / STEP), round(GRID / STEP)
    last = max(cue.end_ms for cue in source) / 1000
    size = 2 * pad + 2 + int(max(last, *(each.end for each in target)) / STEP)
    begins, density = np.pad(filtered_signals(source, size), ((0, 0), (pad, 0)))
    shown = np.append(0.0, np.cumsum(density))
    agreement = np.empty((len(target), 2 * REACH + 1), np.float32)
    outside = np.empty(agreement.shape, np.bool_)
    for row, is_outside, each in zip(agreement, outside, target, strict=True):
        start = int(each.start / STEP)
        length = max(1, int(each.end / STEP) - start)
        at = slice(start, start + 2 * pad + 1, stride)
        during = shown[start + length :][: 2 * pad + 1 : stride] - shown[at]
        row[:] = _standardised(_standardised(begins[at]) + _standardised(during))
        steps = np.arange(at.start, at.stop, stride) - pad
        is_outside[:] = (steps < 0) | (steps > last / STEP)
    # Cues with a rhythm agree at many offsets together: they tell as much as fewer cues would.
    spread = agreement.sum(axis=0).std() / np.sqrt(len(target))
    agreement /= max(1.0, float(spread))
    return np.where(outside, np.float32(OUTSIDE), CLEAR * agreement - CLEAR**2 / 2)


def _standardised(values: Floats) -> Floats:
    return np.asarray(values / (values.std() + 1e-9))


def _word_ratings(source: Sequence[Spoken], target: Sequence[Spoken]) -> Singles:
    """By words that are spelt alike, `(cues, offsets)`, in nats.

    A word of the target is either one with a word of the source that is said at about the same
    time, or with none; where it is none's, words are as often around it as everywhere.
    """
    ours, theirs = words_in_order(source), words_in_order(target)
    ratings = np.zeros((len(target), 2 * REACH + 1), np.float32)
    same = SAME * likeness(ours.names, theirs.names)
    same *= np.minimum(1.0, MOST_SAME / np.maximum(1e-9, same.sum(axis=0)))
    last = max(each.end for each in (*source, *target))
    heard = _Heard(ours, last)
    times = (theirs.times / GRID).astype(int)
    order = np.argsort(theirs.ids, kind="stable")
    places = np.split(order, np.cumsum(np.bincount(theirs.ids, minlength=len(theirs.names)))[:-1])
    for word in np.flatnonzero(same.any(axis=0)):
        evidence = heard.evidence(same[:, word])
        for place in places[word]:
            start = times[place]
            ratings[theirs.segments[place]] += evidence[start : start + 2 * REACH + 1]
    return ratings


class _Heard:
    """When each word of a file is said, at steps of `GRID` from `-LONGEST_OFFSET` on."""

    def __init__(self, words: Words, last: float) -> None:
        self._half = _steps(FARTHEST)
        self._steps = _steps(last) + 2 * REACH + 2 * self._half + 2
        around = np.arange(-self._half, self._half + 1) * GRID
        self._kernel = np.exp(-np.abs(around) / NEAR) / (2 * NEAR)
        order = np.argsort(words.ids, kind="stable")
        self._counts = np.bincount(words.ids, minlength=len(words.names))
        times = (words.times / GRID).astype(int) + REACH
        self._times = np.split(times[order], np.cumsum(self._counts)[:-1])
        self._seconds = max(1.0, last)

    def evidence(self, same: Floats) -> Singles:
        """Nats by which a word is likelier said at each step than anywhere.

        Args:
            same: the probability that it is one with each of the words.
        """
        likelier = np.full(self._steps, 1 - same.sum())
        for word in np.flatnonzero(same):
            by_chance = (self._counts[word] + 1) / self._seconds
            once = same[word] * self._kernel / by_chance
            for time in self._times[word]:
                likelier[time : time + len(once)] += once
        return np.log(likelier[self._half :]).astype(np.float32)


def _best_chain(ratings: Singles, starts: Ints) -> Iterator[tuple[int, int, int, float]]:
    """First row, last row, offset and evidence of the stretches of the best chain, the last first.

    `best` holds the sum of the best chain that ends with each row at each offset, `begins` whether
    a stretch begins there; `reached`, for each step of the source's time, that of the best chain
    that ends before it.

    Args:
        ratings: of each offset by each row, `(rows, offsets)`.
        starts: of the rows, in steps, in order, `(rows,)`.
    """
    width = ratings.shape[1]
    reached = np.zeros(int(starts[-1]) + width + 1, np.float32)
    best, begins = np.empty_like(ratings), np.empty(ratings.shape, np.bool_)
    before = np.full(width, -np.inf, np.float32)
    for row, start in enumerate(starts):
        entered = np.maximum.accumulate(reached[: start + width])[start:] - STRETCH
        np.greater(entered, before, out=begins[row])
        before = np.add(np.maximum(before, entered), ratings[row], out=best[row])
        behind = reached[start + 1 : start + 1 + width]
        np.maximum(behind, before, out=behind)
    last, column = map(int, np.unravel_index(best.argmax(), best.shape))
    value = float(best[last, column])
    while value > 0:
        first = int(np.flatnonzero(begins[: last + 1, column])[-1])
        evidence = float(ratings[first : last + 1, column].sum())
        yield first, last, column, evidence
        value, last, column = _best_before(best[:first], starts, int(starts[first]) + column)


def _best_before(best: Singles, starts: Ints, place: int) -> tuple[float, int, int]:
    """The sum, the row and the offset of the best chain that ends before a place in the source."""
    most, last, column = 0.0, 0, 0
    for row, start in enumerate(starts[: len(best)]):
        values = best[row, : max(0, place - start)]
        if len(values) and values.max() > most:
            most, last, column = float(values.max()), row, int(values.argmax())
    return most, last, column
