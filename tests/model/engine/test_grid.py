"""Rows keep their own state and source, wherever they stand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.engine.grid import Grid


@given(
    st.integers(1, 6),
    st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=12), max_size=6),
)
def test_rows_take_their_state_and_source_along(sources: int, moves: list[list[int]]) -> None:
    """`moves` are choices of parents; states and sources name themselves."""
    grid = Grid.of_sources(sources)
    memory = np.arange(sources)
    state = grid.spread(np.arange(sources))
    expected_sources = np.arange(sources)
    expected_state = np.arange(sources)
    for move in moves:
        parents = np.array([choice % len(expected_state) for choice in move], np.int32)
        grid, lines, places = grid.follow(parents)
        memory = memory if lines is None else memory[lines]
        if places is not None:
            state = state.reshape(-1)[places].reshape(grid.shape)
        expected_sources, expected_state = expected_sources[parents], expected_state[parents]
        np.testing.assert_array_equal(memory[grid.row_lines], expected_sources)
        np.testing.assert_array_equal(grid.collect(state), expected_state)
        fresh = np.arange(len(parents)) + 100 * len(moves)
        state, expected_state = grid.spread(fresh), fresh
        np.testing.assert_array_equal(grid.collect(state), fresh)


def test_a_beam_shares_one_line() -> None:
    grid, lines, _ = Grid.of_sources(3).follow(np.repeat(np.arange(3), 4))
    assert grid.shape == (3, 4)
    assert lines is None
    assert grid.is_full


def test_rows_that_would_leave_the_grid_empty_get_lines_of_their_own() -> None:
    grid, lines, _ = Grid.of_sources(4).follow(np.array([0, 0, 0, 0, 0, 1, 2, 3]))
    assert grid.shape == (8, 1)
    assert lines is not None
    np.testing.assert_array_equal(lines, [0, 0, 0, 0, 0, 1, 2, 3])


def test_joined_grids_keep_their_sources_apart() -> None:
    one, _, _ = Grid.of_sources(2).follow(np.array([0, 0, 1, 1]))
    grid, lines = Grid.join([one, Grid.of_sources(1)])
    memory = np.array([10, 11, 20])
    np.testing.assert_array_equal(memory[lines][grid.row_lines], [10, 10, 11, 11, 20])


def test_places_are_computed_in_vain_until_it_is_dearer_than_to_move() -> None:
    grid, lines, places = Grid.of_sources(10).follow(np.delete(np.arange(10), 3))
    assert grid.shape == (10, 1) and lines is None and places is None
    np.testing.assert_array_equal(grid.row_lines, np.delete(np.arange(10), 3))
    for _ in range(17):
        grid, lines, _ = grid.follow(np.arange(9))
        assert grid.shape == (10, 1) and lines is None
    grid, lines, places = grid.follow(np.arange(9))
    assert grid.is_full and lines is not None and places is not None
    assert grid.is_continued_by(np.arange(9))


def test_rows_move_at_once_where_most_have_left() -> None:
    grid, lines, _ = Grid.of_sources(10).follow(np.array([0, 4, 9]))
    assert grid.shape == (3, 1) and lines is not None


def test_newcomers_take_the_places_of_those_who_left() -> None:
    one, _, _ = Grid.of_sources(10).follow(np.delete(np.arange(10), 3))
    lines = one.room_for(2)
    np.testing.assert_array_equal(lines, [3, 10])
    grid = one.add(Grid.of_sources(2), lines)
    np.testing.assert_array_equal(grid.row_lines, [*np.delete(np.arange(10), 3), 3, 10])
    assert len(set(grid.row_origins)) == 11


def test_a_grid_that_has_shrunk_is_moved_though_newcomers_come() -> None:
    grid, _, _ = Grid.of_sources(32).follow(np.arange(17))
    for _ in range(50):
        grid, _, _ = grid.follow(np.arange(1, len(grid.slots)))
        grid = grid.add(Grid.of_sources(1), grid.room_for(1))
    assert grid.shape[0] < 20


def test_newcomers_find_room_beside_wider_beams() -> None:
    one, _, _ = Grid.of_sources(2).follow(np.repeat(np.arange(2), 3))
    grid = one.add(Grid.of_sources(1), one.room_for(1))
    np.testing.assert_array_equal(grid.row_lines, [0, 0, 0, 1, 1, 1, 2])
    grid, lines, _ = grid.follow(np.array([0, 1, 2, 3, 4, 5, 6, 6, 6]))
    assert grid.is_full and lines is None
