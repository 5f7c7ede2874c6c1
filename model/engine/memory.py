"""Encoded sources in fixed slots, as read by the steps of ONNX graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.contract import as_slice
from model.types import Array, Float32, Indices, Int32

#: Energy added at padding.
PADDING_ENERGY = -1e9

#: The axis of source positions; other arrays have none.
SOURCE_AXIS = {"keys": -1, "values": -2, "padding": -1}

#: Number of slots that are allocated at first, if there are several sources.
MIN_SLOTS = 8


@dataclass(frozen=True)
class EncodedSources:
    """Sources that were encoded together.

    Attributes:
        lengths: int32 `(sources,)`.
        arrays: `keys` float32 `(sources, 1, [heads,] units, source_len)` and `values` `(sources, 1,
            [heads,] source_len, units)`, any finite numbers at padding; with shortlists also
            `candidates` int32 `(sources, candidates)`, their `scales` and `bias` float32
            `(sources, 1, candidates)`.
        state: the decoder's state, each `(sources, 1, 1, units)`.
    """

    lengths: Int32
    arrays: dict[str, Array]
    state: list[Float32]

    def __len__(self) -> int:
        return len(self.lengths)


class SourceMemory:
    """The sources of a table, one per slot. All numbers are finite, even in free slots.

    Attributes:
        arrays: arrays by name, `(allocated slots, ...)`.
        lengths: int32, length of the source in each slot, 0 in free slots.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self.arrays: dict[str, Array] = {}
        self.lengths: Int32 = np.zeros(0, np.int32)

    def insert(self, slots: Indices, parts: Sequence[tuple[EncodedSources, Indices]]) -> None:
        """Writes sources to `slots` `(n,)`: the given rows of each part, in order. If it raises an
        error, no slot in use has changed."""
        lengths = np.concatenate([part.lengths[rows] for part, rows in parts])
        kept = self.lengths.copy()
        kept[slots[slots < len(kept)]] = 0
        (first, rows), *others = parts
        if (
            not others
            and not kept.any()
            and _selects_all(first, slots)
            and _selects_all(first, rows)
        ):
            self._adopt(first)
            return
        longest = max(int(kept.max(initial=0)), int(lengths.max()))
        self._reserve(int(slots.max()) + 1, longest, like=first)
        self.arrays["padding"][slots] = _padding(lengths, self._source_len)
        begin = 0
        for part, rows in parts:
            own = as_slice(slots[begin : begin + len(rows)])
            begin += len(rows)
            for name, array in self.arrays.items():
                if name != "padding":
                    _copy_into(array, own, part.arrays[name][rows], SOURCE_AXIS.get(name))
        self.lengths[slots] = lengths

    def move(self, origins: Indices, slots: Indices) -> None:
        """Moves the sources in `origins` `(n,)` to `slots` `(n,)`."""
        for array in (*self.arrays.values(), self.lengths):
            array[slots] = array[origins]
        self.lengths[origins] = 0

    def first(self, count: int) -> dict[str, Array]:
        """Returns the arrays of the first `count` slots and frees all others."""
        self.lengths[count:] = 0
        return {name: array[:count] for name, array in self.arrays.items()}

    @property
    def _source_len(self) -> int:
        return int(self.arrays["padding"].shape[-1]) if self.arrays else 0

    def _adopt(self, sources: EncodedSources) -> None:
        """Stores the arrays of the only sources without a copy."""
        self.lengths = sources.lengths.copy()
        self.arrays = {name: sources.arrays[name] for name in self._names if name != "padding"}
        self.arrays["padding"] = _padding(self.lengths, int(self.lengths.max()))

    def _reserve(self, slots: int, longest: int, like: EncodedSources) -> None:
        """Makes room for this many slots and for sources of `longest` tokens."""
        count, source_len = len(self.lengths), self._source_len
        if slots > count:
            count = max(slots, 2 * count, MIN_SLOTS)
        size = bucket(longest)
        if longest > source_len or 2 * size <= source_len:
            source_len = size
        if (count, source_len) == (len(self.lengths), self._source_len):
            return
        kept = np.flatnonzero(self.lengths)
        lengths = np.zeros(count, np.int32)
        lengths[kept] = self.lengths[kept]
        grown = {"padding": _padding(lengths, source_len)}
        for name in self._names:
            if name != "padding":
                grown[name] = _empty_like(
                    like.arrays[name], count, SOURCE_AXIS.get(name), source_len
                )
                if kept.size:
                    _copy_into(grown[name], kept, self.arrays[name][kept], SOURCE_AXIS.get(name))
        self.arrays, self.lengths = grown, lengths


def _selects_all(sources: EncodedSources, places: Indices) -> bool:
    """Tells whether `places` select all `sources` in order."""
    return len(places) == len(sources) and bool((places == np.arange(len(sources))).all())


def _empty_like(array: Array, count: int, axis: int | None, source_len: int) -> Array:
    """Returns zeros `(count, ...)` of the shape of `array`, with `source_len` along `axis`."""
    shape = [count, *array.shape[1:]]
    if axis is not None:
        shape[axis] = source_len
    return np.zeros(shape, array.dtype)


def _padding(lengths: Int32, source_len: int) -> Float32:
    """Returns 0 at tokens and `PADDING_ENERGY` at padding, `(sources, 1, 1, source_len)`."""
    is_token = np.arange(source_len) < lengths[:, None]
    return np.where(is_token, np.float32(0), np.float32(PADDING_ENERGY))[:, None, None]


def _copy_into(array: Array, slots: Indices | slice, new: Array, axis: int | None) -> None:
    """Copies `new` to `slots` of `array`, which may be longer or shorter along `axis`."""
    if axis is not None:
        inside: list[slice] = [slice(None)] * array.ndim
        inside[axis] = slice(min(array.shape[axis], new.shape[axis]))
        array, new = array[tuple(inside)], new[tuple(inside)]
    array[slots] = new


def bucket(length: int) -> int:
    """Rounds the length of a source up to one of a few sizes, by at most a third: 8, 16, 24, 32,
    48, 64, 96, ..."""
    step = max(8, 1 << (length - 1).bit_length() >> 2)
    return -(-length // step) * step
