"""Sources come, go and are copied; each keeps what it holds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.engine.memory import NO_TOKEN, Memory

UNITS = 3


def of_sources(names: list[int], lengths: list[int], source_len: int) -> Memory:
    """Sources whose keys and values are all their names."""
    is_real = np.arange(source_len) < np.array(lengths)[:, None]
    real = (is_real * np.array(names)[:, None])[:, None]
    keys = np.repeat(real[:, :, None], UNITS, axis=2).astype(np.float32)
    padding = np.where(is_real, 0.0, NO_TOKEN).astype(np.float32)[:, None, None]
    return Memory(keys, keys.swapaxes(2, 3).copy(), padding, None)


def check(memory: Memory, names: list[int], lengths: list[int]) -> None:
    expected = of_sources(names, lengths, memory.source_len)
    for found, wanted in zip(memory.arrays, expected.arrays, strict=True):
        np.testing.assert_array_equal(found, wanted)


@given(st.data())
def test_sources_keep_what_they_hold(data: st.DataObject) -> None:
    numbers = iter(range(1, 1000))

    def newcomers() -> tuple[Memory, list[int], list[int]]:
        lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
        names = [next(numbers) for _ in lengths]
        return of_sources(names, lengths, max(lengths)), names, lengths

    memory, names, lengths = newcomers()
    earlier = []
    for _ in range(data.draw(st.integers(1, 6))):
        more, more_names, more_lengths = newcomers()
        names, lengths = names + more_names, lengths + more_lengths
        if memory.has_room_for(more) and data.draw(st.booleans()):
            memory = memory.add(more)
        else:
            places = st.sets(st.integers(0, len(names) - 1), min_size=1)
            kept = np.array(sorted(data.draw(places)))
            memory = Memory.join_some([memory, more], kept)
            names, lengths = [names[i] for i in kept], [lengths[i] for i in kept]
            assert memory.source_len == max(lengths)
        earlier.append((memory, names, lengths))
    for each in earlier:
        check(*each)


def test_only_the_last_owner_of_a_room_may_add_to_it() -> None:
    first = Memory.join_some([of_sources([1], [2], 2), of_sources([2], [2], 2)], np.arange(2))
    more = of_sources([3], [1], 1)
    assert first.has_room_for(more)
    second = first.add(more)
    assert not first.has_room_for(more)
    check(first, [1, 2], [2, 2])
    check(second, [1, 2, 3], [2, 2, 1])
