"""Stretches of two subtitle files that run on one clock, and the breaks between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.corpus.links import Spoken, Words, likeness, words_of_all
from training.corpus.timing import LONGEST_OFFSET, STEP, signals

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

GRID = 0.2
BREAK = 20.0
CLEAR = 0.5
SPELT_ALIKE = 0.6
MOST_ALIKE = 0.8
NEAR, FARTHEST = 1.5, 6.0
STRAY = 0.05
REACH = int(LONGEST_OFFSET / GRID)


@dataclass(frozen=True)
class Stretch:
    first: int
    last: int
    offset: float
    evidence: float


def stretches(source: Sequence[Spoken], target: Sequence[Spoken]) -> list[Stretch]:
    ratings = _time_ratings(source, target) + _word_ratings(source, target)
    ratings = np.log(STRAY + (1 - STRAY) * np.exp(np.minimum(ratings, 50)))
    starts = np.array([int(each.start / GRID) for each in target])
    return list(_best_chain(ratings.astype(np.float32), starts))[::-1]


def _time_ratings(source, target) -> Singles:
    size = int((max(source[-1].end, target[-1].end) + 2 * LONGEST_OFFSET) / STEP) + 8
    size = 1 << size.bit_length()
    begins, density = signals(source, size)
    changes = np.append(0.0, np.cumsum(density))
    last = int(source[-1].end / STEP)
    begins = begins / begins[:last].std()
    stride = round(GRID / STEP)
    places = stride * np.arange(-REACH, REACH + 1)
    ratings = np.empty((len(target), len(places)), np.float32)
    for row, each in zip(ratings, target, strict=True):
        start, end = int(each.start / STEP), max(int(each.start / STEP) + 1, int(each.end / STEP))
        at = (start + places) % size
        shown = changes[(end + places) % size] - changes[at]
        inside = (start + places >= 0) & (start + places < last)
        z = (begins[at] + shown / (shown[inside].std() + 1e-9)) / 2**0.5
        row[:] = np.where(inside, CLEAR * z - CLEAR**2 / 2, -1.0)
    return ratings


def _word_ratings(source, target) -> Singles:
    ours, theirs = words_of_all(source), words_of_all(target)
    ratings = np.zeros((len(target), 2 * REACH + 1), np.float32)
    alike = SPELT_ALIKE * likeness(ours.names, theirs.names)
    alike *= np.minimum(1.0, MOST_ALIKE / np.maximum(1e-9, alike.sum(axis=0)))
    seconds = source[-1].end
    size = int(max(source[-1].end, target[-1].end) / GRID) + 2 * REACH + 64
    half = int(FARTHEST / GRID)
    around = np.arange(-half, half + 1)
    kernel = np.exp(-np.abs(around) * GRID / NEAR) / (2 * NEAR)
    places = (ours.times / GRID).astype(int) + REACH + half
    counts = np.bincount(ours.ids, minlength=len(ours.names))
    occurrences = [places[ours.ids == word] for word in range(len(ours.names))]
    spoken_at = (theirs.times / GRID).astype(int)
    for word in np.flatnonzero(alike.any(axis=0)):
        expected = np.full(size + REACH, 1 - alike[:, word].sum())
        for other in np.flatnonzero(alike[:, word]):
            density = (counts[other] + 1) / seconds
            for middle in occurrences[other]:
                near = slice(middle - half, middle + half + 1)
                expected[near] += alike[other, word] * kernel / density
        evidence = np.log(expected).astype(np.float32)[half:]
        for place in np.flatnonzero(theirs.ids == word):
            start = spoken_at[place]
            ratings[theirs.segments[place]] += evidence[start : start + 2 * REACH + 1]
    return ratings


def _best_chain(ratings: Singles, starts: Ints) -> Iterator[Stretch]:
    reached = np.zeros(int(starts.max()) + 2 * REACH + 3, np.float32)
    best = np.empty_like(ratings)
    before = np.full(ratings.shape[1], -np.inf, np.float32)
    width = ratings.shape[1]
    for row, rating, start in zip(best, ratings, starts, strict=True):
        entered = np.maximum.accumulate(reached[: start + width])[start:] - BREAK
        np.add(np.maximum(before, entered), rating, out=row)
        window = reached[start + 1 : start + 1 + width]
        np.maximum(window, row, out=window)
        before = row
    place = np.unravel_index(best.argmax(), best.shape)
    while place is not None and best[place] > 0:
        place, stretch = _stretch_to(best, ratings, starts, *map(int, place))
        yield stretch


def _stretch_to(best, ratings, starts, last, column):
    row, value = last, best[last, column]
    while True:
        before, place = _best_before(best, starts, row, column)
        if row == 0 or best[row - 1, column] < before - BREAK:
            break
        row -= 1
    evidence = float(ratings[row : last + 1, column].sum())
    return place, Stretch(row, last, (column - REACH) * GRID, evidence)


def _best_before(best, starts, row, column):
    """Best chain that ends before."""
    most, place = 0.0, None
    for j in range(row):
        end = min(best.shape[1], int(starts[row] + column - starts[j]))
        if end > 0:
            k = int(best[j, :end].argmax())
            if best[j, k] > most:
                most, place = float(best[j, k]), (j, k)
    return most, place
