from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.fitting import divide, halves


def test_a_long_sentence_is_divided_after_a_clause_near_its_middle() -> None:
    assert halves("I know, that we go home, and that is all") == (
        "I know, that we go home,",
        " ",
        "and that is all",
    )


@given(st.text(alphabet="abc ,你好。", min_size=1, max_size=80), st.integers(1, 20))
def test_all_pieces_fit_and_joined_are_the_text(text: str, most: int) -> None:
    pieces = list(divide(text, lambda piece: len(piece) <= most))
    assert "".join(piece + space for piece, space in pieces) == text
    assert all(len(piece) <= most for piece, _ in pieces)


@pytest.mark.parametrize("text", ["a" * 100_000, "a " * 50_000, "，" * 100_000])
def test_a_text_of_any_kind_is_divided(text: str) -> None:
    assert len(list(divide(text, lambda piece: len(piece) <= 1000))) >= 100
