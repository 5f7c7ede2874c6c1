from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.translation.fitting import split_in_half


def test_a_long_sentence_is_divided_after_a_clause_near_its_middle() -> None:
    assert split_in_half("I know, that we go home, and that is all") == (
        "I know, that we go home,",
        " ",
        "and that is all",
    )


@given(st.text(alphabet="abc ,你好。", min_size=2, max_size=80))
def test_the_halves_of_a_text_joined_are_the_text(text: str) -> None:
    first, gap, second = split_in_half(text)
    assert first + gap + second == text
    assert first and second
