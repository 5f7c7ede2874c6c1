from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.translation_memory import TranslationMemory

PAIRS = [
    ("cancel", "abbrechen"),
    ("Good luck!", "Viel Glück!"),
    ("how are you", "wie geht es dir"),
    ("How are you?", "Wie geht es dir?"),
    ("Loading...", "Wird geladen..."),
    ("it's me", "ich bin's"),
    ("Katze", "cat"),
    ("Open file", "Datei öffnen"),
    ("Äpfel", "apples"),
    ("arm", "poor"),
    ("Arm", "limb"),
    ("Sun.", "So."),
    ("Acme™", "Acme™ GmbH"),
    ("No way!", "¡Ni hablar!"),
    ("hello", "你好"),
    ("谢谢", "thanks"),
    ("x", "\u200b"),
]


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("cancel", "abbrechen"),
        ("Cancel", "Abbrechen"),
        ("CANCEL", "ABBRECHEN"),
        ("cancel!", "abbrechen!"),
        ("Cancel :", "Abbrechen:"),
        ("Good luck!", "Viel Glück!"),
        ("good  luck", "Viel Glück"),
        ("Good luck.", "Viel Glück."),
        ("How are you?", "Wie geht es dir?"),
        ("how are you", "wie geht es dir"),
        ("Loading", "Wird geladen"),
        ("loading...", "Wird geladen..."),
        ("It’s me!", "Ich bin's!"),
        ("Katze", "cat"),  # typed as it is known
        ("Katze!", "Cat!"),
        ("katze", "cat"),
        ("KATZE", "CAT"),
        ("open file", "Datei öffnen"),
        ("OPEN\nFILE?", "DATEI ÖFFNEN?"),
        ("A\u0308pfel", "apples"),
        ("arm", "poor"),
        ("Arm", "limb"),
        ("Sun.", "So."),
        ("sun", None),  # no abbreviation
        ("Acme™", "Acme™ GmbH"),
        ("No way!", "¡Ni hablar!"),
        ("no way", None),
        ("Hello", "你好"),
        ("Hello!", None),  # Chinese has other marks
        ("谢谢", "thanks"),
        ("谢谢。", None),
        ("x", None),
        ("cancelled", None),
        ("", None),
        ("?!", None),
        ("\u200b", None),
    ],
)
def test_a_known_sentence_is_found_however_it_is_typed(text: str, translation: str | None) -> None:
    assert TranslationMemory(PAIRS).find(text) == translation


def test_the_first_of_equal_sentences_is_kept() -> None:
    memory = TranslationMemory([("it's", "a"), ("it’s", "b"), ("It's", "c")])
    assert memory.pairs == (("it's", "a"), ("It's", "c"))


def test_an_update_replaces_removes_and_adds() -> None:
    memory = TranslationMemory([("a", "A"), ("b", "B"), ("c", "C")])
    found = memory.updated([("b", "1"), ("b", "2"), ("c", ""), ("d", "D"), ("d", ""), ("B", "3")])
    assert {*found.pairs} == {("a", "A"), ("b", "2"), ("B", "3")}


@pytest.mark.parametrize("is_swapped", [False, True])
def test_the_phrasebook_is_found_word_for_word(is_swapped: bool) -> None:
    lines = Path("recipes/phrasebook/phrases.tsv").read_text("utf-8").splitlines()
    sides = [line.split("\t")[:: -1 if is_swapped else 1] for line in lines]
    memory = TranslationMemory((source, target) for source, target in sides)
    assert memory.pairs
    assert all(memory.find(source) == target for source, target in memory.pairs)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1))), st.text())
def test_a_memory_survives_its_file(pairs: list[tuple[str, str]], text: str) -> None:
    memory = TranslationMemory(pairs)
    again = TranslationMemory.parse(memory.to_bytes())
    assert len(again) == len(memory)
    assert all(again.find(source) == memory.find(source) for source, _ in memory.pairs)
    assert again.find(text) == memory.find(text)
