"""Stretches of a film with one offset between two subtitle files, and the breaks between them.

An advert or a different cut adds time to one file only, so the offset between the files is constant
from one break to the next. The offsets are found from times and from words that are spelt alike,
without any knowledge of the languages. Each cue of the target rates each offset: how much likelier
is what the source has there if the offset is right than by chance (in nats)? The stretches are the
best chain through these ratings. Each stretch costs as much as chance could gain by choosing among
all offsets; cues between two stretches count nothing.

The idea of a dynamic program with a price on splits is from alass (kaegi/alass), which rates the
overlap of cues. Here a stretch begins, in both files, after the one before it, as in chains of
local alignments (Smith and Waterman 1981, "Identification of common molecular subsequences").
Church 1993 ("Char_align: a program for aligning parallel texts at the character level") showed that
words which are spelt alike draw the map between two texts as a line of dots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from model.types import Float32, Float64, Int64
from training.alignment.clock import (
    MAX_OFFSET_SECONDS,
    STEP_SECONDS,
    Break,
    Timing,
    filtered_signals,
    vertex_of,
)
from training.alignment.word_links import TimedText, Words, spelling_similarity, words_in_order
from training.files.records import Cue

#: Seconds between neighbouring offsets, and the number of offsets on each side of zero.
GRID_SECONDS = 0.2
OFFSETS_PER_SIDE = int(MAX_OFFSET_SECONDS / GRID_SECONDS)
#: Nats that a stretch must gain to be more than chance: thousands of offsets compete.
STRETCH_COST = 15.0
#: The most nats that one cue can add (a phrase may come twice in a talk), and the share of cues
#: without a counterpart, which limits what one cue can subtract.
MAX_CUE_EVIDENCE, STRAY_SHARE = 2.0, 0.05
#: Standard deviations by which the signals at the right offset exceed those at others.
SIGNAL_SEPARATION = 0.5
#: Offsets on each side among which the peak of a stretch is refined.
PEAK_COLUMNS = 8
#: Nats of a cue at an offset that puts it before or after the source.
OUTSIDE_EVIDENCE = -1.0
#: The probability that two words with the same spelling match, and the most for all words that are
#: spelt like one. Many do not match: German `die`, `was`, `so` and `in` are not the English words.
SPELLING_PROBABILITY, MAX_SPELLING_PROBABILITY = 0.2, 0.8
#: Seconds after which this probability falls to 1/e, and beyond which words are not compared.
DECAY_SECONDS, MAX_WORD_SECONDS = 1.5, 6.0
_HALF_WIDTH = int(MAX_WORD_SECONDS / GRID_SECONDS)
_AROUND = np.arange(-_HALF_WIDTH, _HALF_WIDTH + 1) * GRID_SECONDS
_KERNEL = np.exp(-np.abs(_AROUND) / DECAY_SECONDS) / (2 * DECAY_SECONDS)
#: Seconds by which a cue of the source that belongs after a break may come too early.
MARGIN_SECONDS = 0.5
#: Seconds by which two stretches may differ in offset for the time between them to be trusted.
SAME_OFFSET_SECONDS = 1.0
#: The most rows of ratings; in longer files, several cues share a row.
MAX_ROWS = 4000


class Stretch(NamedTuple):
    """A run of the target's cues, from `first` to `last`, with one offset.

    Attributes:
        first, last: indices of cues.
        offset: seconds to add to the target's times.
        evidence: nats by which this is likelier than chance.
    """

    first: int
    last: int
    offset: float
    evidence: float


def find_stretches(source: Sequence[Cue], target: Sequence[Cue], rate: float) -> list[Stretch]:
    """Returns the best chain of stretches, in order; empty if nothing agrees.

    Args:
        source, target: cues in order of time, at least one each.
        rate: seconds on the source's clock for each second on the target's.
    """
    source_texts, target_texts = _timed_texts(source, 1.0), _timed_texts(target, rate)
    ratings = _time_ratings(source, target_texts) + _word_ratings(source_texts, target_texts)
    starts = np.array([_grid_step(each.start) for each in target_texts])
    rows = np.arange(0, len(target_texts), -(-len(target_texts) // MAX_ROWS))
    ends = np.append(rows[1:], len(target_texts))
    bounded = np.log(
        STRAY_SHARE + (1 - STRAY_SHARE) * np.exp(np.minimum(ratings, MAX_CUE_EVIDENCE))
    )
    chain = []
    for first, last, column, evidence in _best_chain(
        np.add.reduceat(bounded, rows, axis=0), starts[rows]
    ):
        begin, end = int(rows[first]), int(ends[last])
        best = _interpolated_peak(ratings[begin:end].sum(axis=0), column)
        chain.append(Stretch(begin, end - 1, (best - OFFSETS_PER_SIDE) * GRID_SECONDS, evidence))
    return chain[::-1]


def _interpolated_peak(ratings: Float32, column: int) -> float:
    """Returns the column of the highest rating near `column`, interpolated between columns.

    Ratings that are limited for each cue are too flat there to show it.
    """
    low = max(0, column - PEAK_COLUMNS)
    near = ratings[low : column + PEAK_COLUMNS + 1].astype(np.float64)
    index = int(near.argmax())
    if not 0 < index < len(near) - 1:
        return float(column)
    return low + index + vertex_of(near[index - 1 : index + 2])


def timing_of(target: Sequence[Cue], clock: Timing, stretches: Sequence[Stretch]) -> Timing:
    """Returns the clock with the offsets of the stretches (at least one) found at its rate.

    With a single stretch, an offset from times that is practically equal is kept.
    """
    offset = stretches[0].offset
    if len(stretches) == 1 and abs(offset - clock.offset) <= GRID_SECONDS:
        offset = clock.offset
    return replace(
        clock,
        offset=offset,
        breaks=tuple(_break_between(target, clock.rate, *two) for two in pairwise(stretches)),
        confirmed=tuple(_confirmed_intervals(target, stretches)),
    )


def _break_between(target: Sequence[Cue], rate: float, before: Stretch, after: Stretch) -> Break:
    """Returns the break at which the second stretch begins."""
    start = target[after.first].start_ms / 1000
    return Break(rate * start + after.offset - MARGIN_SECONDS, start, after.offset - before.offset)


def _confirmed_intervals(
    target: Sequence[Cue], stretches: Sequence[Stretch]
) -> Iterator[tuple[float, float]]:
    """Yields the confirmed intervals, start and end in seconds on the target's clock.

    Between two stretches with nearly the same offset, the time counts as confirmed: a translation
    is merely free or badly timed there.
    """
    first = stretches[0].first
    for before, after in pairwise([*stretches, None]):
        if before and (after is None or abs(after.offset - before.offset) > SAME_OFFSET_SECONDS):
            yield target[first].start_ms / 1000, target[before.last].end_ms / 1000
            first = after.first if after else 0


def _timed_texts(cues: Sequence[Cue], rate: float) -> list[TimedText]:
    return [
        TimedText(cue.text, rate * cue.start_ms / 1000, rate * cue.end_ms / 1000) for cue in cues
    ]


def _grid_step(seconds: float) -> int:
    return int(seconds / GRID_SECONDS)


def _time_ratings(source: Sequence[Cue], target: Sequence[TimedText]) -> Float32:
    """Returns ratings by starts of cues and density of their text, `(cues, offsets)`, in nats."""
    pad, stride = round(MAX_OFFSET_SECONDS / STEP_SECONDS), round(GRID_SECONDS / STEP_SECONDS)
    last = max(cue.end_ms for cue in source) / 1000
    size = 2 * pad + 2 + int(max(last, *(each.end for each in target)) / STEP_SECONDS)
    begins, density = np.pad(filtered_signals(source, size), ((0, 0), (pad, 0)))
    shown = np.append(0.0, np.cumsum(density))
    agreement = np.empty((len(target), 2 * OFFSETS_PER_SIDE + 1), np.float32)
    outside = np.empty(agreement.shape, np.bool_)
    for row, is_outside, each in zip(agreement, outside, target, strict=True):
        start = int(each.start / STEP_SECONDS)
        length = max(1, int(each.end / STEP_SECONDS) - start)
        at = slice(start, start + 2 * pad + 1, stride)
        during = shown[start + length :][: 2 * pad + 1 : stride] - shown[at]
        row[:] = _standardised(_standardised(begins[at]) + _standardised(during))
        steps = np.arange(at.start, at.stop, stride) - pad
        is_outside[:] = (steps < 0) | (steps > last / STEP_SECONDS)
    # Cues with a regular rhythm agree at many offsets at once: they count as fewer cues would.
    deviation = agreement.sum(axis=0).std() / np.sqrt(len(target))
    agreement /= max(1.0, float(deviation))
    return np.where(
        outside,
        np.float32(OUTSIDE_EVIDENCE),
        SIGNAL_SEPARATION * agreement - SIGNAL_SEPARATION**2 / 2,
    )


def _standardised(values: Float64) -> Float64:
    return np.asarray(values / (values.std() + 1e-9))


def _word_ratings(source: Sequence[TimedText], target: Sequence[TimedText]) -> Float32:
    """Returns ratings by words that are spelt alike, `(cues, offsets)`, in nats.

    A word of the target either matches a word that the source has at about the same time, or none;
    if none, words are as frequent around it as everywhere.
    """
    source_words, target_words = words_in_order(source), words_in_order(target)
    ratings = np.zeros((len(target), 2 * OFFSETS_PER_SIDE + 1), np.float32)
    same = SPELLING_PROBABILITY * spelling_similarity(source_words.names, target_words.names)
    same *= np.minimum(1.0, MAX_SPELLING_PROBABILITY / np.maximum(1e-9, same.sum(axis=0)))
    last = max(each.end for each in (*source, *target))
    source_steps, _ = _occurrences(source_words)
    target_steps, segments = _occurrences(target_words)
    for word in np.flatnonzero(same.any(axis=0)):
        evidence = _word_evidence(same[:, word], source_steps, last)
        for step, segment in zip(target_steps[word], segments[word], strict=True):
            ratings[segment] += evidence[step : step + ratings.shape[1]]
    return ratings


def _occurrences(words: Words) -> tuple[list[Int64], list[Int64]]:
    """Returns the steps of `GRID_SECONDS` at which each distinct word is, and its segments."""
    order = np.argsort(words.ids, kind="stable")
    ends = np.cumsum(np.bincount(words.ids, minlength=len(words.names)))[:-1]
    steps = (words.times / GRID_SECONDS).astype(np.int64)
    return np.split(steps[order], ends), np.split(words.segments[order], ends)


def _word_evidence(same: Float64, steps: list[Int64], last: float) -> Float32:
    """Returns the nats by which a word is likelier at each step of `GRID_SECONDS` than anywhere,
    from `-MAX_OFFSET_SECONDS` on.

    Args:
        same: the probability that it matches each of the other file's words.
        steps: the steps at which each of these words is.
        last: seconds until the end of both files.
    """
    count = _grid_step(last) + 2 * (OFFSETS_PER_SIDE + _HALF_WIDTH + 1)
    ratios = np.full(count, 1 - same.sum())
    for word in np.flatnonzero(same):
        by_chance = (len(steps[word]) + 1) / max(1.0, last)
        once = same[word] * _KERNEL / by_chance
        for step in steps[word] + OFFSETS_PER_SIDE:
            ratios[step : step + len(once)] += once
    return np.log(ratios[_HALF_WIDTH:]).astype(np.float32)


def _best_chain(ratings: Float32, starts: Int64) -> Iterator[tuple[int, int, int, float]]:
    """Yields first row, last row, column and evidence of the best chain's stretches, last first.

    `best` holds the sum of the best chain that ends with each row at each offset, `begins` whether
    a stretch begins there; `reached` holds, for each step of the source's time, the sum of the best
    chain that ends before it.

    Args:
        ratings: of each offset by each row, `(rows, offsets)`.
        starts: of the rows, in steps, in order, `(rows,)`.
    """
    width = ratings.shape[1]
    reached = np.zeros(int(starts[-1]) + width + 1, np.float32)
    best, begins = np.empty_like(ratings), np.empty(ratings.shape, np.bool_)
    before = np.full(width, -np.inf, np.float32)
    for row, start in enumerate(starts):
        entered = np.maximum.accumulate(reached[: start + width])[start:] - STRETCH_COST
        np.greater(entered, before, out=begins[row])
        before = np.add(np.maximum(before, entered), ratings[row], out=best[row])
        next_reached = reached[start + 1 : start + 1 + width]
        np.maximum(next_reached, before, out=next_reached)
    last, column = map(int, np.unravel_index(best.argmax(), best.shape))
    value = float(best[last, column])
    while value > 0:
        first = int(np.flatnonzero(begins[: last + 1, column])[-1])
        evidence = float(ratings[first : last + 1, column].sum())
        yield first, last, column, evidence
        value, last, column = _best_chain_before(best[:first], starts, int(starts[first]) + column)


def _best_chain_before(best: Float32, starts: Int64, index: int) -> tuple[float, int, int]:
    """Returns sum, last row and column of the best chain that ends before a source index."""
    most, last, column = 0.0, 0, 0
    for row, start in enumerate(starts[: len(best)]):
        values = best[row, : max(0, index - start)]
        if len(values) and values.max() > most:
            most, last, column = float(values.max()), row, int(values.argmax())
    return most, last, column
