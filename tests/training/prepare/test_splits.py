from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.prepare.splits import (
    DEV,
    TEST,
    TRAIN,
    Fractions,
    Indices,
    Parts,
    Sizes,
    draw_by_fraction,
    draw_groups,
    draw_stretches,
    fraction_of,
    least_sizes,
    place_of,
)


def places_of(*groups: str) -> Indices:
    return np.array([place_of(group) for group in groups], np.uint64)


FILMS = [f"film {i}" for i in range(5000)]


@given(st.text())
def test_a_fraction_lies_between_0_and_1(text: str) -> None:
    assert 0.0 <= fraction_of(text, "salt") < 1.0


def test_a_fraction_is_the_same_on_every_machine() -> None:
    assert fraction_of("a film", "split") == pytest.approx(0.6739853328681356)
    assert place_of("a film") / 2**64 == fraction_of("a film", "split")


def test_salts_draw_independently() -> None:
    assert fraction_of("a film", "split") != fraction_of("a film", "context")


def test_parts_have_about_the_size_that_was_asked_for() -> None:
    parts = draw_by_fraction(places_of(*FILMS), Fractions(0.1, 0.2))
    assert (parts == DEV).mean() == pytest.approx(0.1, abs=0.02)
    assert (parts == TEST).mean() == pytest.approx(0.2, abs=0.02)


def test_nothing_is_held_out_unless_asked_for() -> None:
    assert (draw_by_fraction(places_of(*FILMS), Fractions(0.0, 0.0)) == TRAIN).all()


def test_case_and_spaces_do_not_part_a_group() -> None:
    assert places_of("A  dog 1 ").tolist() == places_of("a dog 1").tolist()


def test_another_test_fraction_leaves_the_test_set_in_the_larger_one() -> None:
    places = places_of(*FILMS)
    small, large = (draw_by_fraction(places, Fractions(0.0, share)) for share in (0.1, 0.2))
    assert ((small == TEST) <= (large == TEST)).all()
    assert (small == TEST).sum() < (large == TEST).sum()


@pytest.mark.parametrize(
    ("examples", "least"), [(1, 1), (20, 2), (200, 20), (300, 30), (500, 50), (5_000_000, 50)]
)
def test_a_part_needs_50_examples_or_a_tenth(examples: int, least: int) -> None:
    assert least_sizes(examples, Fractions(0.01, 0.01)) == (least, least)
    assert least_sizes(examples, Fractions(0.01, 0.0)) == (least, 0)


def drawn(sizes: list[int], wanted: Sizes) -> Parts | None:
    return draw_groups(np.repeat(places_of(*FILMS[: len(sizes)]), sizes), wanted)


@given(st.lists(st.integers(1, 30), min_size=3, max_size=12))
def test_three_groups_are_enough_for_three_parts(sizes: list[int]) -> None:
    parts = drawn(sizes, Sizes(1, 1))
    assert parts is not None
    films = np.split(parts, np.cumsum(sizes)[:-1])
    assert all(len(set(film)) == 1 for film in films)  # none is torn apart
    assert {film[0] for film in films} == {TRAIN, DEV, TEST}
    assert (parts == TRAIN).sum() >= max(sizes)


def test_groups_are_held_out_until_there_are_enough() -> None:
    parts = drawn([10] * 50, Sizes(45, 95))
    assert parts is not None
    assert [(parts == part).sum() for part in (TRAIN, DEV, TEST)] == [350, 50, 100]


def test_large_groups_are_left_to_train() -> None:
    sizes = [100, 400, 60, 300, 70]
    parts = drawn(sizes, Sizes(50, 50))
    assert parts is not None
    assert (parts == TRAIN).sum() >= 400 + 300 + 60


def test_too_few_groups_are_not_drawn_from() -> None:
    assert drawn([10, 10], Sizes(1, 1)) is None
    assert drawn([1000, 3, 3], Sizes(50, 50)) is None
    assert drawn([10, 10], Sizes(1, 0)) is not None


def test_the_last_examples_are_test_and_those_before_them_dev() -> None:
    parts = draw_stretches(np.ones(100, bool), Sizes(10, 20))
    assert parts is not None
    assert parts.tolist() == [TRAIN] * 70 + [DEV] * 10 + [TEST] * 20


def test_stretches_begin_with_a_scene() -> None:
    is_start = np.zeros(100, bool)
    is_start[[0, 62, 75]] = True
    parts = draw_stretches(is_start, Sizes(10, 20))
    assert parts is not None
    assert parts.tolist() == [TRAIN] * 62 + [DEV] * 13 + [TEST] * 25


@given(st.lists(st.booleans(), min_size=3, max_size=40), st.integers(1, 3), st.integers(1, 3))
def test_stretches_leave_something_for_each_part(starts: list[bool], dev: int, test: int) -> None:
    is_start = np.array(starts)
    parts = draw_stretches(is_start, Sizes(dev, test))
    if len(starts) <= dev + test:
        assert parts is None
        return
    assert parts is not None
    assert (np.diff(parts) >= 0).all()
    assert (parts == TRAIN).any()
    assert (parts == DEV).sum() >= dev
    assert (parts == TEST).sum() >= test
