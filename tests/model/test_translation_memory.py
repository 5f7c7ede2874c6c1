from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.translation_memory import TranslationMemory

MEMORY = TranslationMemory(
    [
        ("cancel", "abbrechen"),
        ("Good luck!", "Viel Glück!"),
        ("how are you", "wie geht es dir"),
        ("How are you?", "Wie geht es dir?"),
        ("Loading...", "Wird geladen..."),
        ("Cancel", "stornieren"),
        ("it's me", "ich bin's"),
        ("Katze", "cat"),
        ("Open file", "Datei öffnen"),
    ]
)


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("cancel", "abbrechen"),
        ("Cancel", "Abbrechen"),  # the first of equal texts
        ("CANCEL", "ABBRECHEN"),
        ("cancel!", "abbrechen!"),
        ("Cancel:", "Abbrechen:"),
        ("Good luck!", "Viel Glück!"),
        ("good  luck", "Viel Glück"),
        ("Good luck.", "Viel Glück."),
        ("How are you?", "Wie geht es dir?"),
        ("how are you", "wie geht es dir"),
        ("Loading", "Wird geladen"),
        ("loading...", "Wird geladen..."),
        ("It’s me!", "Ich bin's!"),
        ("Katze", "cat"),  # typed as it is known
        ("Katze!", "cat!"),
        ("katze", "cat"),
        ("KATZE", "CAT"),
        ("open file", "Datei öffnen"),
        ("OPEN FILE?", "DATEI ÖFFNEN?"),
        ("cancelled", None),
        ("", None),
        ("?!", None),
    ],
)
def test_a_known_text_is_found_however_it_is_typed(text: str, translation: str | None) -> None:
    assert MEMORY.find(text) == translation


def test_a_memory_survives_its_file() -> None:
    assert TranslationMemory.parse(MEMORY.to_bytes()).pairs == MEMORY.pairs


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    MEMORY.find(text)
