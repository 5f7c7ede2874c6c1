from __future__ import annotations

import pytest

from model.text.surface import in_form_of, is_name, readings, without_capitals


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GOOD MORNING!", "Good morning!"),
        ("“ÜBER UNS”", "“Über uns”"),
        ("47 MÄNNER", "47 Männer"),
        ("Good MORNING", "Good MORNING"),
        ("Where Are You Going Tomorrow?", "Where are you going tomorrow?"),
        ("Der Hund von Frau Braun", "Der Hund von Frau Braun"),
        ("Guten Morgen, Frau Braun!", "Guten Morgen, Frau Braun!"),
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
        ("Come here.", "Komm her!", "Komm her!"),
        ("How nice!!!", "Wie schön!", "Wie schön!!!"),
        ("I don't know...", "Ich weiß nicht.", "Ich weiß nicht..."),
        ("Dear Anna,", "Liebe Anna!", "Liebe Anna,"),
        ("Price:", "Preis", "Preis:"),
        ("At 6 p.m.?", "Um 18 Uhr?", "Um 18 Uhr?"),
        ("He works hard;", "Er arbeitet hart.", "Er arbeitet hart;"),
        ("Who is it?", "Ποιος είναι;", "Ποιος είναι;"),
        ("Are you ready?", "Bist du fertig", "Bist du fertig?"),
        ("Bonjour, ça va?", "Comment vas-tu ?", "Comment vas-tu ?"),
        ("Good morning.", "早上好", "早上好"),
        ('He said "Hi."', "Er sagte „Hallo“.", "Er sagte „Hallo“."),
        ('"Hi," he said.', '„Hallo", sagte er.', "„Hallo“, sagte er."),
        ('"Me?" he asked.', '"Ich?“ fragte er.', "„Ich?“ fragte er."),
        ('„Ja", “no”', '"Yes" and “no”, „7" „tak”', '"Yes" and “no”, „7“ „tak”'),
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("how are you", ["how are you", "how are you.", "how are you?"]),
        ("Noch zwei", ["Noch zwei", "noch zwei", "Noch zwei.", "Noch zwei?"]),
        ("Add To Cart", ["Add To Cart", "add To Cart", "add to cart", "Add To Cart?"]),
        ("Нет", ["Нет", "нет", "Нет.", "Нет?"]),
        ("GO HOME", ["Go home", "go home", "Go home.", "Go home?"]),
        ("OK", ["Ok", "ok", "Ok.", "Ok?", "OK"]),
        ("NO!", ["No!", "NO!"]),
    ],
)
def test_a_short_text_may_be_a_part_of_a_sentence_a_title_a_statement_or_a_question(
    text: str, expected: list[str]
) -> None:
    assert readings(text) == expected


@pytest.mark.parametrize(
    "text", ["No.", "what?", "Name:", "three 3", "I do not know any more", "早上好", "สวัสดี", ""]
)
def test_other_texts_are_read_as_they_are(text: str) -> None:
    assert readings(text) == [text]


def test_a_text_of_several_words_that_is_copied_is_a_name() -> None:
    assert is_name("John Smith", "John Smith")
    assert not is_name("Apples", "Apples")
    assert not is_name("Buy milk", "Buy Milch")
