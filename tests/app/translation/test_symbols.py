from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.left_out import LeftOut
from app.translation.protection import fixed_spans, protect, split_protected
from app.translation.symbols import (
    leave_out_unreadable,
    readable_form,
    split_at_brackets,
    split_ends,
    unreadable_words,
)


def can_read(text: str) -> bool:
    return all((char.isalnum() and knows_letter(char)) or char in " .,!?'\"-" for char in text)


def knows_letter(char: str) -> bool:
    return char.isascii() or char in "äöüßé"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("He [Tom] is here.", ["[", "]"]),
        ("See [Tom](a/b.png) or [me](c).", ["[", "](a/b.png)", "[", "](c)"]),
        ("[a] " * 40, []),
        ("He works at AT&T, at 20°C. 😀", []),
        ("See https://a.example/?b[c]&d for more 😀", []),
    ],
)
def test_a_text_is_split_at_brackets_unless_there_are_many(text: str, kept: list[str]) -> None:
    pieces = split_at_brackets(text, can_read)
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, is_kept in pieces if is_kept] == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("(I sigh.)", ["(", ")"]),
        (" (I sigh)! ", ["(", ")"]),
        ("(I [you] sigh)", ["(", "[", "]", ")"]),
        ("(I sigh.", ["("]),
        ("You sigh.)", [")"]),
        ("You sigh :)", []),
        ("You sigh :] [Tom", ["["]),
        ("(I) sigh.", []),
        ("(I) sigh (you)", []),
    ],
)
def test_a_text_is_split_at_brackets_at_its_ends(text: str, kept: list[str]) -> None:
    pieces = split_at_brackets(text, lambda part: "[" not in part and "]" not in part)
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, is_kept in pieces if is_kept] == kept


@pytest.mark.parametrize(
    ("text", "left", "symbols"),
    [
        ("I love you 😀!", "I love you!", [(10, " 😀")]),
        ("♪ I love you ♪", "I love you", [(0, "♪ "), (10, " ♪")]),
        ("My _old_ dog ____ sits", "My old dog sits", [(3, "_"), (6, "_"), (10, " ____")]),
        ("I am *very* tired", "I am very tired", [(5, "*"), (9, "*")]),
        ("Hi 👍🏽 👩‍👩‍👧 and 1️⃣", "Hi and 1", [(2, " 👍🏽"), (2, " 👩‍👩‍👧"), (8, "️⃣")]),
        ("Tom & Mary at AT&T", "Tom Mary at AT&T", [(3, " &")]),
        ("See https://a.example/?b&c=d 😀", "See https://a.example/?b&c=d", [(28, " 😀")]),
        ("hello😀world \ue000", "hello world", [(5, "😀"), (11, " \ue000")]),
        ("😀 👍", "", [(0, "😀 "), (0, "👍")]),
        ("Hello {name}, go home.", "Hello {name}, go home.", []),
        ("It's “here”, isn’t it?", "It's “here”, isn’t it?", []),
    ],
)
def test_symbols_that_the_model_cannot_read_are_left_out(
    text: str, left: str, symbols: list[tuple[int, str]]
) -> None:
    assert leave_out_unreadable(text, can_read) == LeftOut(left, tuple(symbols))
    assert leave_out_unreadable(text, lambda text: True) == LeftOut(text, ())


@pytest.mark.parametrize(
    ("text", "left", "emoticons"),
    [
        ("Hi :-) I love you <3, Tom! xD", "Hi I love you, Tom!", [" :-)", " <3", " xD"]),
        ("How are you? :D", "How are you?", [" :D"]),
        ("It is 3:1, or 2). See a.example/ :)", "It is 3:1, or 2). See a.example/", [" :)"]),
        ("Note: see a.example/:)", "Note: see a.example/:)", []),
    ],
)
def test_emoticons_are_left_out_even_if_the_model_can_read_their_characters(
    text: str, left: str, emoticons: list[str]
) -> None:
    found = leave_out_unreadable(text, lambda part: True)
    assert (found.text, [symbol for _, symbol in found.symbols]) == (left, emoticons)


@given(st.text())
def test_the_pieces_join_to_the_text(text: str) -> None:
    pieces = split_at_brackets(text, can_read)
    assert "".join(piece for piece, _ in pieces) == text
    assert all("".join(split_ends(piece)) == piece for piece, _ in pieces)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I live in Москва.", ["Москва"]),
        ("I live in Moskва.", ["Moskва"]),
        ("The Greek word λόγος, not ‘λέξις’.", ["λόγος", "λέξις"]),
        ('He said "Привет, как дела?" and left.', ["Привет, как дела"]),
        ("My name is 李明 (Tom).", ["李明"]),
        ("我在Berlin有3只猫。", ["我在Berlin有3只猫"]),
        ("Siehe https://a.example/дом, дом", ["дом"]),
        ("на{name}", ["на"]),
        ("The word שלום means peace, नमस्ते means hello.", ["שלום", "नमस्ते"]),
        ("I drank ½ of 1½ litres.", ["½", "1½"]),
        ("He works at AT&T, for £5.", ["AT&T"]),
        ("Für das Café & “Señor” 😀 ٥٠", ["Señor"]),
        ("Hello {name}, go home.", []),
    ],
)
def test_words_that_the_model_cannot_read_are_parts(text: str, words: list[str]) -> None:
    spans = unreadable_words(text, can_read, knows_letter)
    assert [text[start:end] for start, end in spans] == words


@given(st.text(alphabet="aя李 12&+£½😀{x}%s<>@.,-\u0301", max_size=40))
def test_unreadable_words_are_apart_from_fixed_parts(text: str) -> None:
    spans = unreadable_words(text, can_read, knows_letter)
    all_spans = sorted([*spans, *fixed_spans(text)])
    assert all(end <= start for (_, end), (start, _) in pairwise(all_spans))
    assert "".join(part for part, _ in split_protected(text, spans)) == text
    protected = protect(text, spans)
    if not protected.lacks_stand_ins and not protected.is_plain:
        restored = protected.restore(protected.text)
        assert restored is None or restored.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“It’s here.”", '"It\'s here."'),
        ("«It’s here.»", '"It\'s here."'),
        ("Wi\u2011Fi", "Wi-Fi"),
        ("٥٠ euros", "50 euros"),
        ("c\u0337a\u0352f\u0337e\u0301", "café"),
        ("Señor 😀", "Señor 😀"),
    ],
)
def test_a_plain_form_is_read_for_what_the_model_cannot_read(text: str, plain: str) -> None:
    assert readable_form(text, can_read) == plain
    assert readable_form(text, lambda text: True) == text
