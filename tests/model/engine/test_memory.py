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
    np.testing.assert_array_equal(memory.padding, expected.padding)
    is_real = (memory.padding == 0)[:, 0]
    np.testing.assert_array_equal(memory.keys * is_real[:, None], expected.keys)
    np.testing.assert_array_equal(memory.values * is_real.swapaxes(1, 2)[:, None], expected.values)


@given(st.data())
def test_sources_keep_what_they_hold(data: st.DataObject) -> None:
    numbers = iter(range(1, 1000))

    def newcomers() -> tuple[Memory, list[int], list[int]]:
        lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
        names = [next(numbers) for _ in lengths]
        return of_sources(names, lengths, max(lengths)), names, lengths

    memory, names, lengths = newcomers()
    for _ in range(data.draw(st.integers(1, 6))):
        more, more_names, more_lengths = newcomers()
        places = st.sets(
            st.integers(0, len(names) + len(more) - 1), min_size=len(more), max_size=len(more)
        )
        lines = np.array(sorted(data.draw(places)))
        is_gapless = set(range(len(names), lines[-1])) <= {*lines.tolist()}
        if is_gapless and memory.has_room_for(more, lines):
            memory = memory.add(more, lines)
            size = len(memory) - len(names)
            names, lengths = [*names, *[0] * size], [*lengths, *[0] * size]
            for line, name, length in zip(lines, more_names, more_lengths, strict=True):
                names[line], lengths[line] = name, length
        else:
            names, lengths = names + more_names, lengths + more_lengths
            kept = np.array(sorted(data.draw(st.sets(st.integers(0, len(names) - 1), min_size=1))))
            memory = Memory.join_some([memory, more], kept)
            names, lengths = [names[i] for i in kept], [lengths[i] for i in kept]
            assert memory.source_len == max(lengths)
        check(memory, names, lengths)


def test_only_the_last_owner_of_a_room_may_add_to_it() -> None:
    first = Memory.join_some([of_sources([1], [2], 2), of_sources([2], [2], 2)], np.arange(2))
    more, lines = of_sources([3], [1], 1), np.array([2])
    assert first.has_room_for(more, lines)
    second = first.add(more, lines)
    assert not first.is_current and not first.has_room_for(more, lines + 1)
    check(second, [1, 2, 3], [2, 2, 1])
