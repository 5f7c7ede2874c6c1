from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.protection import (
    protect,
    quoted_spans,
    split_protected,
    strip_end_marks,
    strip_ends,
)


@pytest.mark.parametrize(
    "fixed",
    [
        "https://example.com/a?b=1&c=2",
        "https://example.com/wiki/Film_(1990)",
        "www.example.org/x",
        "me.too@mail.example.com",
        "example.com",
        "192.168.0.1",
        "main.py",
        "my-film.en.srt",
        "/usr/local/bin",
        "~/.bashrc",
        "../a/b.c",
        "C:\\Users\\me",
        "snake_case",
        "getElementById",
        "getName()",
        "file.read()",
        "--no-cache",
        "$HOME",
        "%PATH%",
        "$5",
        "US$ 1,000.50",
        "€5k",
        "1.000,50 €",
        "20°C",
        "2.5 km",
        "10-20 kg",
        "10–20",
        "1,000–2,000",
        "50 km/h",
        "60 mph",
        "100 ms",
        "30 min",
        "30 fps",
        "5 lbs",
        "-5 °C",
        "−5",
        "+3",
        "20 EUR",
        "CHF 1,000.50",
        "8:00–18.30",
        "+49 (0)30 123456-78",
        "4111 1111 1111 1111",
        "B2B",
        "UTF-8",
        "v1.2.3",
        "2.0.1-beta3",
        "4K",
        "CO₂",
        "x²",
        "N/A",
        "tokens/s",
        "w/m/d",
        "TCP/IP",
        "0x1F",
        "C++",
        "C#",
        "Ctrl+Alt+F4",
        "{name}",
        "{{ user.name }}",
        "${HOME}",
        "%s",
        "%(count)d",
        "%1$s",
        "%1",
        "%n",
        ":name",
        ":smile:",
        "__NAME__",
        "<%= name %>",
        "{% if name %}",
        "{n, plural, one {# file} other {# files}}",
        "'{name}'",
        "<br/>",
        "<!-- a b -->",
        '<a href="x">',
        "&nbsp;",
        "`ls -l`",
        "@robin",
        "#films",
    ],
)
def test_what_is_fixed_gets_a_stand_in_and_comes_back(fixed: str) -> None:
    protected = protect(f"Look at {fixed}, please.")
    assert protected is not None
    [(stand_in, original)] = protected.fixed.items()
    assert original == fixed
    assert protected.text == f"Look at {stand_in}, please."
    assert protected.restore(f"Bitte {stand_in} ansehen.") == f"Bitte {fixed} ansehen."


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("请看https://example.com/a?b=1。谢谢", "https://example.com/a?b=1"),
        ("www.example.comを見て", "www.example.com"),
        ("联系我me@example.com吧", "me@example.com"),
        ("지금 example.com에서", "example.com"),
        ("毎日20km走る", "20km"),
        ("siehe https://de.example.org/Österreich!", "https://de.example.org/Österreich"),
    ],
)
def test_what_is_fixed_ends_where_east_asian_text_begins(text: str, fixed: str) -> None:
    assert list(protect(text).fixed.values()) == [fixed]


@pytest.mark.parametrize(
    "text",
    [
        "He/she and/or I",
        "He left.In time",
        "_you_",
        "iPhone or McDonald",
        "a / b / c",
        "jede/r, ein/e, AND/OR, UND/ODER, HE/SHE",
        "nel 2010 mi, en 2010 l'homme",
        "20jährige am 21st, 5pm or 9AM in the 1950s",
        "note:this",
        "one-2",
        "one -- two--three, word(s)",
    ],
)
def test_words_of_a_language_are_not_fixed(text: str) -> None:
    assert not protect(text).fixed


@pytest.mark.parametrize("text", ["1$2", "1.2.3.4.5", "4 me", "5 kmh", "10:30 m"])
def test_a_sign_without_an_amount_of_its_own_is_not_fixed(text: str) -> None:
    assert not protect(text).fixed


def test_placeholders_with_only_marks_between_them_are_one_part() -> None:
    protected = protect("%s%d of {a}:{b} {c}")
    assert [*protected.fixed.values()] == ["%s%d", "{a}:{b}", "{c}"]
    assert protected.restore(protected.text) == "%s%d of {a}:{b} {c}"


def test_a_tag_touches_the_words_that_it_touched() -> None:
    protected = protect("<0>one</0> two")
    assert protected.text == "475 one 639 two"
    assert protected.restore("475 eins 639 zwei") == "<0>eins</0> zwei"


def test_the_parts_of_a_compound_are_read_as_words() -> None:
    protected = protect("Die B2B-Kunden, <0>-Kunden")
    assert protected.text == "Die 475 Kunden, 639-Kunden"
    assert (
        protected.restore("The 475 customers, 639 customers") == "The B2B customers, <0> customers"
    )


def test_a_known_part_comes_back_in_translation() -> None:
    text = 'Say "one" to {name}'
    [span] = quoted_spans(text)
    protected = protect(text, (), {span: '"eins"'})
    assert protected.text == "Say 475 to 639"
    assert protected.restore("Sag 639 475") == 'Sag {name} "eins"'
    assert ('"eins"', True) in split_protected(text, (), {span: '"eins"'})


def test_an_address_in_brackets_ends_before_them() -> None:
    text = "(see https://a.example/b) or [this](https://a.example/c_(d)), or https://a.example/(e"
    addresses = ["https://a.example/b", "https://a.example/c_(d)", "https://a.example/"]
    assert list(protect(text).fixed.values()) == addresses


@pytest.mark.parametrize("text", ["私は５０，０００円払った", "دفعت ٥٠٬٠٠٠ ين", "मैंने ५०,००० येन दिए"])
def test_numbers_are_the_same_in_all_digits(text: str) -> None:
    protected = protect(text)
    assert protected.required == ["50000"]
    assert protected.restore("I paid 50,000 yen.") == "I paid 50,000 yen."
    assert protect("See {name}.").restore("٤٧٥ देखें") == "{name} देखें"


@pytest.mark.parametrize(
    "lossy",
    [
        "Bitte ansehen.",
        "475 und 475 bitte.",
        "4 75 bitte.",
        "Bitte475 ansehen.",
        "475er bitte.",
        "475 77.",
        "475 470.",
    ],
)
def test_a_translation_without_its_stand_in_or_with_two_counts_as_lost(lossy: str) -> None:
    protected = protect("Look at {name}, please.")
    assert protected.restore(lossy) is None


def test_numbers_may_be_written_in_the_other_language_but_must_be_there() -> None:
    protected = protect("It costs 1,000.50 dollars in 2024.")
    assert protected is not None
    assert protected.restore("2024 kostet es 1.000,50 Dollar.")
    assert protected.restore("Es kostet 1.000 Dollar.") is None
    assert protected.restore("2024 kostet es 1.000,50 Dollar in 2024.") is None
    assert protect("It is 10:30.").restore("Es ist 10:30 am 10.") is None


@pytest.mark.parametrize(
    ("number", "kept", "lost"),
    [
        ("2.5", "2,5", "25"),
        ("1,000.50", "1000,50", "100050"),
        ("10:30", "10.30", "1030"),
        ("12/05/1990", "12.05.1990", "12051990"),
        ("2.0.1", "2.0.1", "201"),
        ("1,234,567", "1.234.567", "1234.567"),
        ("0.125", "0,125", "0125"),
        ("3-2", "3:2", "32"),
    ],
)
def test_a_number_without_its_decimal_separator_is_lost(number: str, kept: str, lost: str) -> None:
    protected = protect(f"It is {number} here.")
    assert protected.restore(f"Hier ist es {kept}.")
    assert protected.restore(f"Hier ist es {lost}.") is None
    assert protected.restore(f"Hier ist es {lost}, {kept}.") is None


@pytest.mark.parametrize(
    ("number", "required"),
    [("2.5", "2.5"), ("10:30", "10:30"), ("1,000", "1000"), ("1.000,50", "1000,50")],
)
def test_a_required_number_is_written_as_in_the_source(number: str, required: str) -> None:
    assert protect(f"It is {number} here.").required == [required]


def test_a_stand_in_for_no_number_is_no_time() -> None:
    assert protect("Press {x}.").restore("Drücken Sie 475 Uhr.") == "Drücken Sie {x}."
    assert protect("At {x} o'clock").restore("Um 475 Uhr") == "Um {x} Uhr"
    at_noon = protect("It is 12:30.", fixes_numbers=True)
    assert at_noon.restore("Es ist 475 Uhr.") == "Es ist 12:30 Uhr."


def test_numbers_with_separators_get_stand_ins_if_asked_for() -> None:
    protected = protect("On 12/05/1990 at 10 for {x}", fixes_numbers=True)
    assert protected.text == "On 475 at 10 for 639"
    assert (protected.fixed["475"], protected.numbers) == ("12/05/1990", ["10"])
    assert protect("It is 4.7 {x}").restore("Es ist 4,7 475") == "Es ist 4,7 {x}"


def test_a_number_of_the_text_is_no_stand_in() -> None:
    protected = protect("475 times {x}")
    assert "475" not in protected.fixed


def test_more_fixed_parts_than_stand_ins_cannot_be_protected() -> None:
    assert protect(" ".join(["{x}"] * 9)).lacks_stand_ins


@pytest.mark.parametrize("word", ["21st", "5km", "20°C", "CO2", "iOS17", "1,5l", "3D", "2024"])
def test_a_number_is_not_torn_from_its_letters(word: str) -> None:
    parts = [*split_protected(f"It is {word}, and 20jährige go.")]
    assert parts[1] == (word, True)
    assert parts[3:] == [("20", True), ("jährige go.", False)]  # a word to translate


@given(st.text(alphabet="ab 12{}%s<>&@.:/", max_size=60))
def test_all_parts_joined_are_the_text(text: str) -> None:
    assert "".join(part for part, _ in split_protected(text)) == text


@pytest.mark.parametrize(
    ("text", "is_so"), [("{name}", False), ("12:30", False), ("a {name}", True), ("…", False)]
)
def test_only_letters_outside_of_what_is_fixed_can_be_translated(text: str, is_so: bool) -> None:
    assert protect(text).has_words is is_so


def test_a_part_is_trimmed_to_its_words_and_loses_a_new_full_stop() -> None:
    assert strip_ends(", you have: ") == "you have"
    assert strip_ends("...") == ""
    assert strip_end_marks("Du hast.") == "Du hast"
