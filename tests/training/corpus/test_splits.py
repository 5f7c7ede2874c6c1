from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.corpus.splits import fraction_of, split_of


@given(st.text())
def test_a_fraction_lies_between_0_and_1(text: str) -> None:
    assert 0.0 <= fraction_of(text, "salt") < 1.0


def test_a_fraction_is_the_same_on_every_machine() -> None:
    assert fraction_of("a film", "split") == pytest.approx(0.6739853328681356)


def test_salts_draw_independently() -> None:
    assert fraction_of("a film", "split") != fraction_of("a film", "context")


def test_parts_have_about_the_size_that_was_asked_for() -> None:
    parts = Counter(split_of(f"film {i}", 0.1, 0.2) for i in range(5000))
    assert parts["dev"] / 5000 == pytest.approx(0.1, abs=0.02)
    assert parts["test"] / 5000 == pytest.approx(0.2, abs=0.02)


def test_nothing_is_held_out_unless_asked_for() -> None:
    assert {split_of(f"film {i}", 0.0, 0.0) for i in range(500)} == {"train"}


def test_case_and_spaces_do_not_part_a_group() -> None:
    for i in range(200):
        assert split_of(f"A  dog {i} ", 0.3, 0.3) == split_of(f"a dog {i}", 0.3, 0.3)


def test_another_test_fraction_leaves_the_test_set_in_the_larger_one() -> None:
    small = {i for i in range(500) if split_of(f"{i}", 0.0, 0.1) == "test"}
    large = {i for i in range(500) if split_of(f"{i}", 0.0, 0.2) == "test"}
    assert small < large
