from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.layout import Translation
from app.translation.left_out import LeftOut
from app.translation.symbols import leave_out_unreadable
from app.translation.words import word_spans


@pytest.mark.parametrize(
    ("sentence", "translation", "links", "expected", "new_links"),
    [
        ("a 😀 b.", "B A.", (1, 0, 2), "B A 😀.", (2, 0, 1, 3)),
        ("♪ a b ♪", "B A.", (1, 0, 2), "♪ B A ♪", (0, 2, 1, 3)),
        ("a *b* c", "C X B A", (2, None, 1, 0), "C X *B* A", (4, None, 1, 2, 3, 0)),
        ("a b 😀!", "A!", (0, 2), "A 😀!", (0, 2, 3)),
        ("a b 😀 c", "A C", (0, 2), "A 😀 C", (0, 2, 3)),
        ("a 😀 b", "B", (1,), "😀 B", (1, 2)),
        ("a *b c", "A", (0,), "A*", (0, 1)),
        ("a😀b", "A B", (0, 1), "A😀 B", (0, 1, 2)),
        ('a "b 😀."', 'A "B."', (0, 1, 2, 3, 4), 'A "B 😀."', (0, 1, 2, 3, 4, 5)),
    ],
)
def test_a_symbol_returns_to_the_word_that_it_was_at(
    sentence: str,
    translation: str,
    links: tuple[int | None, ...],
    expected: str,
    new_links: tuple[int | None, ...],
) -> None:
    found = leave_out(sentence).put_back(Translation(translation, links))
    assert (found.text, found.links) == (expected, new_links)


def test_a_symbol_attends_to_itself() -> None:
    translation = Translation("B A", (1, 0), [[0.1, 0.9], [0.8, 0.2]])
    found = leave_out("a 😀 b").put_back(translation)
    assert found.text == "B A 😀"
    assert found.attention == [[0.1, 0.0, 0.9], [0.8, 0.0, 0.2], [0.0, 1.0, 0.0]]


@given(st.lists(st.sampled_from(["a", "b,", "*a*", "b😀", "😀", "♪"]), max_size=8))
def test_a_sentence_that_is_not_changed_gets_its_symbols_where_they_were(words: list[str]) -> None:
    sentence = " ".join(["a", *words, "b 😀!"])
    left_out = leave_out(sentence)
    found = left_out.put_back(Translation.unchanged(left_out.text))
    assert found.text == sentence
    assert found.links == tuple(range(len(word_spans(sentence))))


def leave_out(sentence: str) -> LeftOut:
    return leave_out_unreadable(sentence, lambda text: not set(text).intersection("😀♪*"))
