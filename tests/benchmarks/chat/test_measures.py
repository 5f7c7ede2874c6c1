"""Measures of replies without a judge."""

from __future__ import annotations

import pytest

from benchmarks.chat.measures import (
    contains_any,
    kappa,
    other_stop,
    repeats,
    unseen_words,
    without_question_mark,
    word_f1,
)


@pytest.mark.parametrize(
    ("message", "other"),
    [("I am tired.", "I am tired"), ("i am tired", "i am tired."), ("Hm...", None), ("No!", None)],
)
def test_final_stop_is_added_or_removed(message: str, other: str | None) -> None:
    assert other_stop(message) == other


@pytest.mark.parametrize(
    ("message", "other"), [("Why?", "Why"), ("why", None), ("???", None), ("What?!", None)]
)
def test_one_final_question_mark_is_removed(message: str, other: str | None) -> None:
    assert without_question_mark(message) == other


def test_second_and_third_equal_reply_are_repeats() -> None:
    assert repeats(["Yes.", "No.", "Yes.", "Yes."]) == 2


def test_words_are_compared_in_lower_case_without_punctuation() -> None:
    assert unseen_words("It's Blorbing, isn’t it?", {"it's", "isn't", "it"}) == ["blorbing"]


def test_blocked_phrases_are_whole_words() -> None:
    assert contains_any("Go to hell, then.", ["Hell"])
    assert not contains_any("Hello! Nice shell.", ["hell"])
    assert contains_any("Oh, shut up!", ["shut up"])


def test_f1_counts_words_as_often_as_both_have_them() -> None:
    assert word_f1("no no no", "no way") == pytest.approx(2 * 1 / 5)
    assert word_f1("yes", "no") == 0


def test_kappa_of_a_worked_example() -> None:
    # Agreement 0.7; by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    first, second = "1111100000", "1111010001"
    assert kappa(first, second) == pytest.approx((0.7 - 0.5) / 0.5)
    assert kappa("111", "111") == 1
