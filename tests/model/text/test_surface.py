from __future__ import annotations

import pytest

from model.text.surface import in_form_of, readings, without_capitals


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
        ("how are you", "Wie geht es dir?", "Wie geht es dir"),
        ("how are you", "Comment vas-tu ?", "Comment vas-tu"),
        ("what is it?", "Was ist das?", "Was ist das?"),
        ("hello", "Hallo!", "Hallo"),
        ("what", "Was?!", "Was?!"),
        ("and so on", "z. B.", "z. B."),
        ("well", "Nun ...", "Nun ..."),
        ("good morning", "早上好。", "早上好"),
        ("GOOD MORNING", "Guten Morgen.", "GUTEN MORGEN"),
        ("THE STREET.", "Die Straße.", "DIE STRASSE."),
        ("I", "Ich.", "Ich"),
        ("I am 12", "Ich bin 12.", "Ich bin 12"),
        ("See it at 12", "Um 12 sehe ich es.", "Um 12 sehe ich es"),
        ("on the 12th", "am 12.", "am 12."),
        ("Good day", "guten Tag", "Guten Tag"),
        ("good day", "Guten Tag", "Guten Tag"),
        ("", "", ""),
    ],
)
def test_a_translation_has_the_form_of_its_source(
    source: str, translation: str, expected: str
) -> None:
    assert in_form_of(source, translation) == expected


@pytest.mark.parametrize("text", ["how are you", "Guten Morgen", "no", "до свидания"])
def test_a_short_text_may_be_a_statement_an_exclamation_or_a_question(text: str) -> None:
    assert readings(text) == [text, f"{text}.", f"{text}!", f"{text}?"]


def test_a_text_in_capitals_is_read_in_lower_case_and_as_it_is_if_it_may_be_an_abbreviation() -> (
    None
):
    assert readings("GO HOME") == ["Go home", "Go home.", "Go home!", "Go home?"]
    assert readings("OK") == ["Ok", "Ok.", "Ok!", "Ok?", "OK"]
    assert readings("NO!") == ["No!", "NO!"]


@pytest.mark.parametrize(
    "text", ["No.", "what?", "Name:", "three 3", "I do not know any more", "早上好", "สวัสดี", ""]
)
def test_other_texts_are_read_as_they_are(text: str) -> None:
    assert readings(text) == [text]
