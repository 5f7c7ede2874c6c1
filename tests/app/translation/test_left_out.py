from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.layout import Translation
from app.translation.left_out import LeftOut
from app.translation.symbols import leave_out_asides, leave_out_unreadable, unreadable_words
from app.translation.words import word_spans
from model.text.sentences import END_MARKS


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
        ("a *b c 😀 a", "A C B A", (0, 2, 1, 3), "A C 😀 *B A", (0, 3, 4, 1, 2, 5)),
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


@pytest.mark.parametrize(
    ("sentence", "translation", "links", "expected"),
    [
        ("no aa/bb.", "AA no.", (1, 0, 2), "AA/bb no."),
        ("no aa/bb", "AA no", (1, 0), "AA/bb no"),
        ("aa/bb no", "AA no", (None, 1), "AA/bb no"),  # the model attended elsewhere
        ("Aa./bb. no", "AA no", (0, 2), "AA/bb. no"),
        ("no aa–bb", "AA no", (1, 0), "AA–bb no"),
        ("aa/bb/cc?", "AA?", (0, 1), "AA/bb/cc?"),
    ],
)
def test_a_word_after_a_slash_or_a_dash_follows_the_word_before_it(
    sentence: str, translation: str, links: tuple[int | None, ...], expected: str
) -> None:
    found = leave_out_asides(sentence).put_back(Translation(translation, links))
    assert found.text == expected


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


@pytest.mark.parametrize(
    ("sentence", "translation", "expected"),
    [
        ("ab中cd", "AB CD", "AB 中 CD"),
        ("中, ab", "AB", "中 AB"),
        ("中、国 ab 中", "AB", "中、国 AB 中"),
        ("中、国 ab 中 😀", "AB", "中、国 AB 中 😀"),
    ],
)
def test_a_word_that_was_left_out_returns_as_a_word(
    sentence: str, translation: str, expected: str
) -> None:
    found = leave_out(sentence).put_back(Translation(translation, (0, 1)[: len(translation) // 2]))
    assert found.text == expected


PIECES = ["ab", "中", "я", "½", "😀", "*", "、", ".", "'", "{x}", "\u0301", " ", " "]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.data())
def test_no_character_is_lost_or_doubled(sentence: str, data: st.DataObject) -> None:
    left_out = leave_out(sentence)
    text = data.draw(st.text("AB.!' 国\u0301", max_size=12))
    link = st.none() | st.sampled_from([None, *range(len(word_spans(left_out.text)))])
    links = tuple(data.draw(link) for _ in word_spans(text))
    for translation in (Translation.unchanged(left_out.text), Translation(text, links)):
        found = left_out.put_back(translation)
        symbols = "".join(symbol for _, symbol in left_out.symbols)
        before = Counter(f"{translation.text}{symbols}")
        missing = before - Counter(found.text)
        added = Counter(found.text) - before
        assert set(missing) <= {*END_MARKS, " ", "\n"}
        assert set(added) <= {" "}
        assert len(found.links) == len(word_spans(found.text))
    kept = "".join(f"{left_out.text}{symbols}".split())
    assert Counter(kept) == Counter("".join(sentence.split()))


def leave_out(sentence: str) -> LeftOut:
    words = unreadable_words(sentence, can_read, knows_letter)
    return leave_out_unreadable(sentence, can_read, words)


def can_read(text: str) -> bool:
    return all(char.isascii() and char not in "*£" for char in text)


def knows_letter(char: str) -> bool:
    return char.isascii()
