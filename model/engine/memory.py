"""What the steps of ONNX graphs read of sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.contract import Float32
from model.engine.shortlist import Candidates

#: Added to the energies of what is no token.
NO_TOKEN = -1e9

#: Of so many sources one more finds room beside them later.
SHARE_OF_ROOM = 2

Array = NDArray[Any]
Places = NDArray[np.intp]


@dataclass
class Room:
    """Arrays of which memories are the beginnings. Sources are only ever added behind all others,
    so that no memory changes.

    Attributes:
        arrays: as in `Memory.arrays`, of as many sources as there is room for.
        used: sources that are there.
    """

    arrays: list[Array]
    used: int


@dataclass(frozen=True)
class Memory:
    """What steps read of sources, one row for each.

    Attributes:
        keys: `(sources, 1, [heads,] units, source_len)`.
        values: `(sources, 1, [heads,] source_len, units)`.
        padding: `(sources, 1, 1, source_len)`, 0 at real tokens and `NO_TOKEN` at others.
        candidates: the tokens that each source's shortlist holds; None: no source has one.
        room: where more sources can be added; None: nowhere.
    """

    keys: Float32
    values: Float32
    padding: Float32
    candidates: Candidates | None
    room: Room | None = None

    def __len__(self) -> int:
        return len(self.padding)

    @property
    def source_len(self) -> int:
        """With padding."""
        return int(self.padding.shape[-1])

    @property
    def arrays(self) -> list[Array]:
        """All that it holds, sources first."""
        found = self.candidates
        further = [] if found is None else [getattr(found, each.name) for each in fields(found)]
        return [self.keys, self.values, self.padding, *further]

    @cached_property
    def parts(self) -> tuple[tuple[Places, Memory], tuple[Places, Memory]]:
        """Where the sources stand that are held to their candidates, and those; then the others,
        without candidates. They are copied once, not at every step."""
        if self.candidates is None:
            raise ValueError("no source has candidates")
        is_used = self.candidates.is_used
        short, whole = np.flatnonzero(is_used), np.flatnonzero(~is_used)
        others = Memory(self.keys[whole], self.values[whole], self.padding[whole], None)
        return (short, self._like([each[short] for each in self.arrays])), (whole, others)

    @classmethod
    def join(cls, parts: Sequence[Memory]) -> Memory:
        """The sources of all, in order."""
        return parts[0] if len(parts) == 1 else _gathered(parts, [None] * len(parts), room=0)

    @classmethod
    def join_some(cls, parts: Sequence[Memory], kept: Places) -> Memory:
        """The sources at `kept`, counted through all `parts` and in their order; with room for
        more."""
        ends = np.cumsum([len(part) for part in parts])
        own = np.split(kept, np.searchsorted(kept, ends[:-1]))
        starts = ends - [len(part) for part in parts]
        lines = [each - start for each, start in zip(own, starts, strict=True)]
        return _gathered(parts, lines, room=1 + len(kept) // SHARE_OF_ROOM)

    def has_room_for(self, more: Memory) -> bool:
        """Whether `add` will do."""
        room = self.room
        return (
            room is not None
            and room.used == len(self)
            and room.used + len(more) <= len(room.arrays[0])
            and more.source_len <= self.source_len
        )

    def add(self, more: Memory) -> Memory:
        """These sources and `more`. Nothing is copied but those, and this memory stays as it is."""
        if self.room is None or not self.has_room_for(more):
            raise ValueError("there is no room")
        first, end = len(self), len(self) + len(more)
        for array, new, (axis, filling) in zip(
            self.room.arrays, more.arrays, _paddings(self), strict=True
        ):
            _put(array[first:end], new, axis, filling)
        self.room.used = end
        return self._like([array[:end] for array in self.room.arrays], self.room)

    def _like(self, arrays: list[Array], room: Room | None = None) -> Memory:
        keys, values, padding, *further = arrays
        return Memory(keys, values, padding, Candidates(*further) if further else None, room)


def _paddings(memory: Memory) -> list[tuple[int | None, float]]:
    """Of each array the axis of source positions, and what stands beyond a source."""
    own = [(-1, 0.0), (-2, 0.0), (-1, NO_TOKEN)]
    return [*own, *((None, 0.0) for _ in memory.arrays[len(own) :])]


def _gathered(parts: Sequence[Memory], lines: Sequence[Places | None], room: int) -> Memory:
    """The sources at `lines` of each part (None: all), without positions that are all padding, and
    `room` for more."""
    counts = [
        len(part) if own is None else len(own) for part, own in zip(parts, lines, strict=True)
    ]
    longest = max(_longest(part, own) for part, own in zip(parts, lines, strict=True))
    arrays = []
    for place, (axis, filling) in enumerate(_paddings(parts[0])):
        like = parts[0].arrays[place]
        shape = [sum(counts) + room, *like.shape[1:]]
        if axis is not None:
            shape[axis] = longest
        array = np.empty(shape, like.dtype)
        first = 0
        for part, own, count in zip(parts, lines, counts, strict=True):
            new = part.arrays[place]
            target = array[first : first + count]
            first += count
            if own is not None and new.shape[1:] == target.shape[1:]:
                np.take(new, own, axis=0, out=target, mode="clip")
            else:
                _put(target, new if own is None else new[own], axis, filling)
        arrays.append(array)
    used = sum(counts)
    kept = Room(arrays, used) if room else None
    return parts[0]._like([array[:used] for array in arrays], kept)


def _put(target: Array, new: Array, axis: int | None, filling: float) -> None:
    """Copies `new`, cut or filled up along an axis that counts from the last."""
    if axis is None or new.shape[axis] == target.shape[axis]:
        target[...] = new
        return
    target, new = np.moveaxis(target, axis, -1), np.moveaxis(new, axis, -1)
    size = min(new.shape[-1], target.shape[-1])
    target[..., :size] = new[..., :size]
    target[..., size:] = filling


def _longest(memory: Memory, lines: Places | None) -> int:
    """The length of the longest source."""
    padding = memory.padding if lines is None else memory.padding[lines]
    is_real = (padding == 0).any(axis=tuple(range(padding.ndim - 1)))
    return int(np.flatnonzero(is_real)[-1]) + 1 if len(padding) else 0
