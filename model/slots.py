"""Slots: which ones requests get and move to, and arrays whose axes grow, shrink and are read."""

from __future__ import annotations

from typing import Any

import numpy as np

from model.types import Array, Bool, Places

#: Requests move to lower slots once fewer than one in so many of the slots that are stepped are in
#: use: free slots cost as much as others.
SPARSE_ONE_IN = 2


def lowest_free(in_use: Bool, count: int) -> Places:
    """Returns the `count` lowest free slots `(count,)`; `in_use` `(G,)` are those that exist."""
    taken = np.append(in_use, np.zeros(count, bool))
    return np.flatnonzero(~taken)[:count]


def compaction(in_use: Bool) -> tuple[int, Places, Places]:
    """Returns how many of the slots `(G,)`, some of which are in use, are to be stepped, and what
    must move before: origins and slots, `(n,)` each."""
    used = np.flatnonzero(in_use)
    count = int(used[-1]) + 1
    if used.size * SPARSE_ONE_IN >= count:
        return count, used[:0], used[:0]
    return used.size, used[used >= used.size], np.flatnonzero(~in_use[: used.size])


def resized(array: Array, *shape: int) -> Array:
    """Returns `array` cut, or padded with zeros at the ends of its axes, to `shape`; itself, or a
    part of it, if that is large enough."""
    if array.shape == shape:
        return array
    inside = tuple(slice(min(sizes)) for sizes in zip(array.shape, shape, strict=True))
    if array[inside].shape == shape:
        return array[inside]
    grown = np.zeros(shape, array.dtype)
    grown[inside] = array[inside]
    return grown


def as_slice(places: Places) -> Any:
    """Returns ascending `places` as a slice if there are no gaps, which NumPy reads and writes in a
    fraction of the time."""
    if len(places) and places[-1] - places[0] == len(places) - 1:
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
