"""Splits into train, dev and test: pure functions of an example's group, the same on every machine.

A group (a conversation, a film, a source sentence) has a place, which is a 64-bit hash. A large
corpus is drawn by it alone: places below a fraction are held out. If that holds out too little to
score, whole groups are held out until there is enough; if there are too few groups, the last
examples are held out.
"""

from __future__ import annotations

import hashlib
import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.types import Bool

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")
TRAIN, DEV, TEST = range(3)

#: A drawn split has this many examples or this share of the corpus, whichever is less.
MIN_EXAMPLES, MIN_SPLIT_SHARE = 50, 0.1

Parts = NDArray[np.uint8]
Indices = NDArray[np.uint64]


class Fractions(NamedTuple):
    """Shares of a corpus that are held out; 0: no such split is drawn."""

    dev: float
    test: float


class Sizes(NamedTuple):
    """Numbers of examples that are held out."""

    dev: int
    test: int


def fraction_of(text: str, salt: str) -> float:
    """Returns a number in [0, 1) that depends only on `text` and `salt`."""
    return _hash(text, salt) / 2**64


def place_of(group: str) -> int:
    """Returns the place of a group, a 64-bit hash. Case and spaces are ignored."""
    return _hash(" ".join(group.lower().split()), "split")


def least_sizes(examples: int, fractions: Fractions, times: int = 1) -> Sizes:
    """Returns the minimum sizes of dev and test for a meaningful score, times `times`; 0 if the
    fraction is 0."""
    least = times * min(MIN_EXAMPLES, math.ceil(examples * MIN_SPLIT_SHARE))
    return Sizes(*(least if fraction else 0 for fraction in fractions))


def draw_by_fraction(places: Indices, fractions: Fractions) -> Parts:
    """Draws groups by their places only; returns indices into SPLITS, `(examples,)`."""
    drawn = places / 2**64
    parts = np.full(len(places), TRAIN, np.uint8)
    parts[drawn < fractions.test + fractions.dev] = DEV
    parts[drawn < fractions.test] = TEST
    return parts


def draw_groups(places: Indices, wanted: Sizes) -> Parts | None:
    """Holds out whole groups until dev and test are large enough: groups up to the median size
    first, lowest places first, so that train keeps as much as possible. The largest group stays in
    train.

    Args:
        places: place of each example's group, `(examples,)`.
        wanted: the minimum sizes.

    Returns:
        indices into SPLITS, `(examples,)`; None if there are too few groups.
    """
    _, group_of, sizes = np.unique(places, return_inverse=True, return_counts=True)
    parts = np.full(len(sizes), TRAIN, np.uint8)
    by_size = np.argsort(sizes > np.median(sizes), kind="stable")
    is_free = np.ones(len(sizes), bool)
    is_free[np.argmax(sizes)] = False
    for part, least in ((TEST, wanted.test), (DEV, wanted.dev)):
        if not least:
            continue
        free = by_size[is_free[by_size]]
        reached = np.cumsum(sizes[free])
        if not len(free) or reached[-1] < least:
            return None
        chosen = free[: np.searchsorted(reached, least) + 1]
        parts[chosen] = part
        is_free[chosen] = False
    return np.asarray(parts[group_of])


def draw_stretches(is_start: Bool, wanted: Sizes) -> Parts | None:
    """Holds out the last examples as test, and those before them as dev. A cut moves back to the
    start of a scene if there is one within the wanted number of examples.

    Args:
        is_start: whether an example starts a scene, that is, has no context, `(examples,)`.
        wanted: the minimum sizes.

    Returns:
        indices into SPLITS, `(examples,)`; None if nothing would be left for train.
    """
    parts = np.full(len(is_start), TRAIN, np.uint8)
    end = len(is_start)
    for part, least, reserved in ((TEST, wanted.test, wanted.dev + 1), (DEV, wanted.dev, 1)):
        if not least:
            continue
        latest = end - least
        if latest < reserved:
            return None
        earliest = max(latest - least, reserved)
        starts = np.flatnonzero(is_start[earliest : latest + 1])
        cut = earliest + int(starts[-1]) if len(starts) else latest
        parts[cut:end] = part
        end = cut
    return parts


def _hash(text: str, salt: str) -> int:
    digest = hashlib.sha256(f"{salt}\n{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")
