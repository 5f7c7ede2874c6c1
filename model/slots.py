"""Allocation and compaction of slots, and resizing and slicing of their arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from model.types import Array, Bool, Indices

#: Requests move to lower slots once fewer than one in this many stepped slots is in use: a free
#: slot costs as much as any other.
SPARSE_FACTOR = 2


def lowest_free(in_use: Bool, count: int) -> Indices:
    """Returns the `count` lowest free slots `(count,)`; `in_use` is `(G,)`, for existing slots."""
    used = np.append(in_use, np.zeros(count, bool))
    return np.flatnonzero(~used)[:count]


def compaction(in_use: Bool) -> tuple[int, Indices, Indices]:
    """Returns how many of the slots `(G,)` to step, and the moves to make before: origins and
    slots, `(n,)` each. At least one slot must be in use."""
    used = np.flatnonzero(in_use)
    count = int(used[-1]) + 1
    if used.size * SPARSE_FACTOR >= count:
        return count, used[:0], used[:0]
    return used.size, used[used >= used.size], np.flatnonzero(~in_use[: used.size])


def resized(array: Array, *shape: int) -> Array:
    """Returns `array` cut to `shape`, or padded with zeros at the ends of its axes; a view if it is
    large enough."""
    if array.shape == shape:
        return array
    inside = tuple(slice(min(sizes)) for sizes in zip(array.shape, shape, strict=True))
    if array[inside].shape == shape:
        return array[inside]
    grown = np.zeros(shape, array.dtype)
    grown[inside] = array[inside]
    return grown


def as_slice(places: Indices) -> Any:
    """Returns ascending `places` as a slice if there are no gaps: NumPy reads and writes slices in
    a fraction of the time."""
    if len(places) and places[-1] - places[0] == len(places) - 1:
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
