"""Sources come and go; each slot keeps what it holds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.engine.memory import PADDING_ENERGY, EncodedSources, SourceMemory, bucket

UNITS = 3


def encoded(names: list[int], lengths: list[int]) -> EncodedSources:
    """Sources whose keys and values are all their names, and other numbers at padding."""
    is_real = np.arange(max(lengths)) < np.array(lengths)[:, None]
    by_token = np.where(is_real, np.array(names)[:, None], -7)[:, None]
    keys = np.repeat(by_token[:, :, None], UNITS, axis=2).astype(np.float32)
    arrays = {"keys": keys, "values": keys.swapaxes(2, 3).copy()}
    return EncodedSources(np.array(lengths, np.int32), arrays, [])


def held(memory: SourceMemory, slots: Iterable[int]) -> dict[int, tuple[int, int]]:
    """The source `(name, length)` that `memory` has in each slot, whose numbers agree."""
    arrays = memory.first(max(slots, default=-1) + 1)
    assert all(np.isfinite(array).all() for array in arrays.values())
    found = {}
    for slot in slots:
        padding = arrays["padding"][slot, 0, 0]
        length = int((padding != PADDING_ENERGY).sum())
        assert not padding[:length].any()
        names = {
            *arrays["keys"][slot, 0, :, :length].flat,
            *arrays["values"][slot, 0, :length].flat,
        }
        (name,) = names
        found[slot] = (int(name), length)
    return found


@given(st.data())
def test_sources_keep_what_they_hold(data: st.DataObject) -> None:
    numbers = iter(range(1, 1000))
    memory, slots = SourceMemory(["keys", "values", "padding"]), dict[int, tuple[int, int]]()
    for _ in range(data.draw(st.integers(1, 8))):
        for slot in (
            data.draw(st.lists(st.sampled_from(sorted(slots)), unique=True)) if slots else ()
        ):
            del slots[slot]
        memory.first(max(slots, default=-1) + 1)
        if bool(slots) and data.draw(st.booleans()):
            origin, free = max(slots), min({*range(max(slots) + 2)} - {*slots})
            if free < origin:
                memory.move(np.array([origin]), np.array([free]))
                slots[free] = slots.pop(origin)
        parts, new = [], []
        for _ in range(data.draw(st.integers(1, 2))):
            lengths = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=4))
            names = [next(numbers) for _ in lengths]
            rows = data.draw(st.sets(st.integers(0, len(names) - 1), min_size=1))
            parts.append((encoded(names, lengths), np.array(sorted(rows))))
            new += [(names[row], lengths[row]) for row in sorted(rows)]
        free_slots = [slot for slot in range(len(slots) + len(new)) if slot not in slots][
            : len(new)
        ]
        memory.insert(np.array(free_slots), parts)
        slots |= dict(zip(free_slots, new, strict=True))
        assert held(memory, slots) == slots


def test_short_sources_shrink_what_long_ones_needed() -> None:
    memory = SourceMemory(["keys", "values", "padding"])
    memory.insert(np.array([0, 1]), [(encoded([1, 2], [3, 40]), np.array([0, 1]))])
    memory.first(1)  # the long one leaves
    memory.insert(np.array([1]), [(encoded([3], [2]), np.array([0]))])
    assert held(memory, [0, 1]) == {0: (1, 3), 1: (3, 2)}
    assert memory.first(2)["padding"].shape[-1] == 8


def test_lengths_are_rounded_to_few_sizes() -> None:
    sizes = sorted({bucket(length) for length in range(1, 257)})
    assert sizes == [8, 16, 24, 32, 48, 64, 96, 128, 192, 256]
