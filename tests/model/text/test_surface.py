from __future__ import annotations

import pytest

from model.text.surface import in_form_of, without_capitals


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GOOD MORNING!", "Good morning!"),
        ("“ÜBER UNS”", "“Über uns”"),
        ("47 MÄNNER", "47 Männer"),
        ("Good MORNING", "Good MORNING"),
        ("A", "A"),
        ("3.", "3."),
        ("早上好", "早上好"),
        ("", ""),
    ],
)
def test_a_text_in_capitals_is_read_in_lower_case(text: str, expected: str) -> None:
    assert without_capitals(text) == expected


@pytest.mark.parametrize(
    ("source", "translation", "expected"),
    [
        ("Save file", "Datei speichern.", "Datei speichern"),
        ("Save file.", "Datei speichern.", "Datei speichern."),
        ("Save file. ", "Datei speichern.", "Datei speichern."),
        ("how are you", "Wie geht es dir?", "Wie geht es dir?"),
        ("and so on", "z. B.", "z. B."),
        ("well", "Nun ...", "Nun ..."),
        ("good morning", "早上好。", "早上好"),
        ("GOOD MORNING", "Guten Morgen.", "GUTEN MORGEN"),
        ("THE STREET.", "Die Straße.", "DIE STRASSE."),
        ("I", "Ich.", "Ich"),
        ("Good day", "guten Tag", "Guten Tag"),
        ("good day", "Guten Tag", "Guten Tag"),
        ("", "", ""),
    ],
)
def test_a_translation_has_the_form_of_its_source(
    source: str, translation: str, expected: str
) -> None:
    assert in_form_of(source, translation) == expected
