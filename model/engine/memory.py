"""Encoded sources, as the steps of ONNX graphs read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.contract import Float32
from model.engine.shortlist import Candidates
from model.lazy import lazy

#: Added to the energies of padding.
NO_TOKEN = -1e9

#: A memory gets spare room for one more source for every so many.
SHARE_OF_ROOM = 2

Array = NDArray[Any]
Places = NDArray[np.intp]


@dataclass
class Room:
    """Arrays whose beginnings are memories. New sources are written below the others, and over
    unused ones: only the memory that was made last is valid.

    Attributes:
        arrays: as in `Memory.arrays`, of as many sources as there is room for. All numbers are
            finite.
        writings: how often sources were written.
    """

    arrays: list[Array]
    writings: int = 0


@dataclass(frozen=True)
class Memory:
    """Encoded sources, one row for each.

    Attributes:
        keys: `(sources, 1, [heads,] units, source_len)`. At padding, any numbers.
        values: `(sources, 1, [heads,] source_len, units)`. The same.
        padding: `(sources, 1, 1, source_len)`, 0 at real tokens and `NO_TOKEN` at others.
        candidates: each source's shortlist; None: no source has one.
        room: the arrays to which more sources can be added; None: there are none.
        writings: of the room, when this memory was made.
    """

    keys: Float32
    values: Float32
    padding: Float32
    candidates: Candidates | None
    room: Room | None = None
    writings: int = 0

    def __len__(self) -> int:
        return len(self.padding)

    @property
    def source_len(self) -> int:
        """Returns the length of the sources, with padding."""
        return int(self.padding.shape[-1])

    @property
    def arrays(self) -> list[Array]:
        """Returns all arrays; their first axis is that of the sources."""
        found = self.candidates
        further = [] if found is None else [getattr(found, each.name) for each in fields(found)]
        return [self.keys, self.values, self.padding, *further]

    @lazy
    def parts(self) -> tuple[tuple[Places, Memory], tuple[Places, Memory]]:
        """Returns the indices and the memory of the sources that use their shortlists, then those
        of the others, without candidates. They are copied once, not at every step."""
        if self.candidates is None:
            raise ValueError("no source has candidates")
        is_used = self.candidates.is_used
        short, whole = np.flatnonzero(is_used), np.flatnonzero(~is_used)
        others = Memory(self.keys[whole], self.values[whole], self.padding[whole], None)
        return (short, self._like([each[short] for each in self.arrays])), (whole, others)

    @classmethod
    def join(cls, parts: Sequence[Memory]) -> Memory:
        """Joins the sources of all, in order."""
        return parts[0] if len(parts) == 1 else _gathered(parts, [None] * len(parts), room=0)

    @classmethod
    def join_some(cls, parts: Sequence[Memory], kept: Places) -> Memory:
        """Joins the sources at `kept`, counted through all `parts`, the first one's first; with
        room for more."""
        ends = np.cumsum([len(part) for part in parts])
        own = np.split(kept, np.searchsorted(kept, ends[:-1]))
        starts = ends - [len(part) for part in parts]
        lines = [each - start for each, start in zip(own, starts, strict=True)]
        return _gathered(parts, lines, room=1 + len(kept) // SHARE_OF_ROOM)

    @property
    def is_current(self) -> bool:
        """Tells whether no source was written since this memory was made."""
        return self.room is None or self.room.writings == self.writings

    def has_room_for(self, more: Memory, lines: Places) -> bool:
        """Tells whether `add` will work."""
        return (
            self.room is not None
            and self.is_current
            and lines[-1] < len(self.room.arrays[0])
            and more.source_len <= self.source_len
        )

    def add(self, more: Memory, lines: Places) -> Memory:
        """Adds `more` to these sources, at `lines`, ascending: over unused sources and below all
        others. Nothing else is copied, and this memory is not current any more.

        Raises:
            ValueError: if there is no room for them.
        """
        if self.room is None or not self.has_room_for(more, lines):
            raise ValueError("there is no room")
        for array, new, (axis, filling) in zip(
            self.room.arrays, more.arrays, _paddings(self), strict=True
        ):
            _put(array, lines, new, axis, filling)
        self.room.writings += 1
        end = max(len(self), int(lines[-1]) + 1)
        return self._like([array[:end] for array in self.room.arrays], self.room)

    def _like(self, arrays: list[Array], room: Room | None = None) -> Memory:
        keys, values, padding, *further = arrays
        candidates = Candidates(*further) if further else None
        return Memory(keys, values, padding, candidates, room, room.writings if room else 0)


def _paddings(memory: Memory) -> list[tuple[int | None, float | None]]:
    """Returns the axis of source positions of each array, and the padding after a source."""
    own: list[tuple[int | None, float | None]] = [(-1, None), (-2, None), (-1, NO_TOKEN)]
    return [*own, *((None, None) for _ in memory.arrays[len(own) :])]


def _gathered(parts: Sequence[Memory], lines: Sequence[Places | None], room: int) -> Memory:
    """Gathers the sources at `lines` of each part (None: all), without positions that are all
    padding, and with `room` for more."""
    counts = [
        len(part) if own is None else len(own) for part, own in zip(parts, lines, strict=True)
    ]
    longest = max(_longest(part, own) for part, own in zip(parts, lines, strict=True))
    used, firsts = sum(counts), np.cumsum(counts) - counts
    arrays = []
    for place, (axis, filling) in enumerate(_paddings(parts[0])):
        like = parts[0].arrays[place]
        shape = [used + room, *like.shape[1:]]
        if axis is not None:
            shape[axis] = longest
        array = np.zeros(shape, like.dtype)
        for part, own, first, count in zip(parts, lines, firsts, counts, strict=True):
            new = part.arrays[place]
            if own is not None and new.shape[1:] == array.shape[1:]:
                np.take(new, own, axis=0, out=array[first : first + count], mode="clip")
            else:
                new = new if own is None else new[own]
                _put(array, slice(first, first + count), new, axis, filling)
        arrays.append(array)
    return parts[0]._like([array[:used] for array in arrays], Room(arrays) if room else None)


def _put(
    array: Array, lines: Places | slice, new: Array, axis: int | None, filling: float | None
) -> None:
    """Copies `new` to `lines`, cut or padded along an axis that counts from the last. Without a
    `filling` the rest keeps its values."""
    if axis is None or new.shape[axis] == array.shape[axis]:
        array[lines] = new
        return
    size = min(new.shape[axis], array.shape[axis])
    there: list[Any] = [slice(None)] * array.ndim
    there[axis] = slice(size)
    part = new[tuple(there)]
    there[0] = lines
    array[tuple(there)] = part
    if filling is not None:
        there[axis] = slice(size, None)
        array[tuple(there)] = filling


def _longest(memory: Memory, lines: Places | None) -> int:
    """Returns the length of the longest source."""
    padding = memory.padding if lines is None else memory.padding[lines]
    is_real = (padding == 0).any(axis=tuple(range(padding.ndim - 1)))
    return int(np.flatnonzero(is_real)[-1]) + 1 if len(padding) else 0
