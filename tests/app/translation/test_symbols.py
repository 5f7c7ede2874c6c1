from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.symbols import readable_quotes, split_at_symbols, split_ends


def can_read(text: str) -> bool:
    return all(char.isalnum() or char in " .,!?'\"" for char in text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("I love you 😀!", ["😀"]),
        ("♪ I love you ♪", ["♪", "♪"]),
        ("Thanks 👍🏽👩‍👩‍👧 and bye 1️⃣", ["👍🏽👩‍👩‍👧", "️⃣"]),
        ("He works at AT&T, at 20°C.", ["AT&T,", "20°C."]),
        ("Tom & Mary", ["&"]),
        ("See https://a.example/?b&c=d for more 😀", ["😀"]),
        ("Hello {name}, go home.", []),
        ("It's “here”, isn’t it?", []),
        ("你好😀世界", ["😀"]),
    ],
)
def test_symbols_that_the_model_cannot_read_are_kept(text: str, kept: list[str]) -> None:
    pieces = split_at_symbols(text, can_read)
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, is_kept in pieces if is_kept] == kept


def test_a_text_that_the_model_can_read_stays_whole() -> None:
    assert split_at_symbols("I love you 😀!", lambda text: True) == [("I love you 😀!", False)]


@given(st.text())
def test_the_pieces_join_to_the_text(text: str) -> None:
    pieces = split_at_symbols(text, can_read)
    assert "".join(piece for piece, _ in pieces) == text
    assert all("".join(split_ends(piece)) == piece for piece, _ in pieces)


def test_quotes_become_straight_only_if_the_model_cannot_read_them() -> None:
    assert readable_quotes("“It’s here.”", can_read) == '"It\'s here."'
    assert readable_quotes("“It’s here.”", lambda text: True) == "“It’s here.”"
