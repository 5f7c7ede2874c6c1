from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.translation.html_text import HtmlText
from app.translation.layout import Translation, concatenate, lay_out
from app.translation.parts import Part, Tag, place_tags, sentences_of_parts, split_in_proportion
from app.translation.words import word_spans


def shown(part: Part) -> str:
    """The part with its tags."""
    text, place = "", 0
    for tag in part.tags:
        text += part.text[place : tag.position] + tag.raw
        place = tag.position
    return text + part.text[place:]


def element(start: int, end: int, name: str = "b") -> tuple[Tag, Tag]:
    return Tag(start, f"<{name}>", "open", name), Tag(end, f"</{name}>", "close", name)


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ([3, 1, 0, 4], "drei <b>rote</b> Hunde."),
        ([None, None, None, None], "drei <b>rote</b> Hunde."),
        ([1, 2, 3, 1], "<b>drei</b> rote Hunde."),
    ],
)
def test_an_element_goes_round_the_words_that_translate_its_words(
    links: list[int | None], expected: str
) -> None:
    tags = place_tags("three red dogs.", element(6, 9), "drei rote Hunde.", links)
    assert shown(Part("drei rote Hunde.", tuple(tags))) == expected


def test_elements_within_each_other_stay_so() -> None:
    outer, inner = element(0, 13, "i"), element(6, 9)
    tags = (outer[0], *inner, outer[1])
    placed = place_tags("three red cats", tags, "rote drei Katzen", [1, 0, 2])
    assert shown(Part("rote drei Katzen", tuple(placed))) == "<i><b>rote</b> drei Katzen</i>"


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(["open", "close", "empty"])), max_size=8
    ),
    st.lists(st.integers(0, 3) | st.none(), min_size=4, max_size=4),
)
def test_tags_of_any_kind_all_stay(places: list[tuple[int, str]], links: list[int | None]) -> None:
    tags = [Tag(at, f"<{n}>", kind, "b") for n, (at, kind) in enumerate(sorted(places))]  # type: ignore[arg-type]
    placed = place_tags("one two three", tags, "eins zwei drei !", links)
    assert sorted(tag.raw for tag in placed) == sorted(tag.raw for tag in tags)
    assert [tag.position for tag in placed] == sorted(tag.position for tag in placed)


def test_a_text_is_shared_out_at_word_borders_in_proportion() -> None:
    text = "Ich habe dir gesagt, dass du nach Hause gehen sollst."
    assert [text[a:b] for a, b in split_in_proportion(text, [10, 15])] == [
        "Ich habe dir gesagt,",
        "dass du nach Hause gehen sollst.",
    ]


def test_where_there_are_more_places_than_words_the_last_word_stays() -> None:
    assert split_in_proportion("Ja.", [3, 3]) == [(0, 3), (0, 3)]
    assert split_in_proportion("Ja. ", [3, 3]) == [(0, 4), (0, 4)]


@given(
    st.text(alphabet="ab ,你", min_size=1, max_size=40).filter(str.strip),
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
)
def test_no_word_is_lost_in_sharing_out(text: str, sizes: list[int]) -> None:
    spans = split_in_proportion(text, sizes)
    assert len(spans) == len(sizes)
    shown_words = [text[a:b] for a, b in dict.fromkeys(spans)]
    assert "".join("".join(shown_words).split()) == "".join(text.split())


def test_a_sentence_that_spans_parts_is_one_and_goes_back_to_the_same_parts() -> None:
    parts = [Part("Oh. I told you"), Part("to go home. Now!", (Tag(0, "{x}", "empty"),))]
    sentences = sentences_of_parts(parts, 0, "en")
    assert [each.text for each in sentences] == ["Oh.", "I told you to go home.", "Now!"]
    assert [len(each.chunks) for each in sentences] == [1, 2, 1]
    translations = map(Translation.unlinked, ["Ach.", "Ich sagte dir, geh nach Hause.", "Los!"])
    translated = lay_out(parts, sentences, list(translations))
    assert [shown(part) for part in translated] == [
        "Ach. Ich sagte dir,",
        "{x}geh nach Hause. Los!",
    ]


def test_a_number_of_a_list_is_no_part_of_its_sentence_and_stays() -> None:
    part = Part("1) One. (a) Two. (Three) 1.5) four.")
    sentences = sentences_of_parts([part], 0, "en")
    assert [each.text for each in sentences] == ["One.", "Two.", "(Three) 1.5) four."]
    translations = [Translation.unlinked(text) for text in ("Eins.", "Zwei.", "Drei.")]
    assert lay_out([part], sentences, translations) == [Part("1) Eins. (a) Zwei. Drei.")]


@pytest.mark.parametrize("text", ["| one two | three |", "one | two", "- [ ] one", "- [x] one two"])
def test_bars_and_boxes_are_no_part_of_a_sentence_and_stay(text: str) -> None:
    sentences = sentences_of_parts([Part(text)], 0, "en")
    assert not any({*each.text} & {*"|[]"} for each in sentences)
    translations = [Translation.unlinked(each.text.upper()) for each in sentences]
    assert lay_out([Part(text)], sentences, translations)[0].text == text.upper().replace("X", "x")


@pytest.mark.parametrize(
    "text",
    ["<i></i> one two", "<i/> one <b>two</b> <i/>", "<b>one <i/></b>", "<b>\n one\n </b> <i/>"],
)
def test_tags_apart_from_the_words_stay_there(text: str) -> None:
    [part] = HtmlText(text).parts
    sentences = sentences_of_parts([part], 0, "en")
    translations = [Translation.unchanged(each.text) for each in sentences]
    assert "".join(shown(lay_out([part], sentences, translations)[0]).split()) == "".join(
        text.split()
    )
    if not text.startswith("<b>\n"):
        assert shown(lay_out([part], sentences, translations)[0]) == text


def test_a_dash_before_a_sentence_is_no_part_of_it_and_stays() -> None:
    part = Part(" - One - two. – Three. -4 - ")
    sentences = sentences_of_parts([part], 0, "en")
    assert [each.text for each in sentences] == ["One", "two.", "Three.", "-4 -"]
    translations = [Translation.unlinked(text) for text in ("Eins", "zwei.", "Drei.", "-4 -")]
    assert lay_out([part], sentences, translations) == [Part(" - Eins - zwei. – Drei. -4 - ")]


def test_sentences_of_chinese_get_spaces_between_their_translations() -> None:
    part = Part("你好。再见。")
    sentences = sentences_of_parts([part], 0, "zh")
    [translated] = lay_out([part], sentences, [Translation.unlinked(t) for t in ("Hi.", "Bye.")])
    assert translated.text == "Hi. Bye."


def test_sentences_of_japanese_are_joined_without_a_space() -> None:
    part = Part("Hi. Bye.")
    sentences = sentences_of_parts([part], 0, "en")
    translations = [Translation.unlinked(text) for text in ("やあ。", "またね。")]
    [translated] = lay_out([part], sentences, translations)
    assert translated.text == "やあ。またね。"
    assert concatenate(["Hi,", "bye."], translations, [" ", ""]).text == "やあ。またね。"


def test_halves_of_a_sentence_are_joined_with_their_links() -> None:
    both = [Translation("eins zwei", (0, 1)), Translation("drei", (0,))]
    assert concatenate(["one two", "three"], both, [" ", ""]) == Translation(
        "eins zwei drei", (0, 1, 2)
    )
    assert len(word_spans("eins zwei drei")) == 3


@pytest.mark.parametrize(
    ("text", "old", "expected"),
    [
        ("A/once b/on", "/on", "A/once b/an"),
        ("A (on)b", "(on)", "A /anb"),
        ("A/on_b", "/on", "A/an_b"),
    ],
)
def test_words_are_replaced_where_they_are_whole(text: str, old: str, expected: str) -> None:
    assert Translation.unlinked(text).replacing(old, "/an").text == expected


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Name: Anna", ["Name:", "Anna"]),
        ("See it at 10:30: now", ["See it at 10:30:", "now"]),
        ("He works; she sleeps.", ["He works;", "she sleeps."]),
        ("He said: “Yes.”", ["He said: “Yes.”"]),
        ("Yes / No | and/or", ["Yes", "No", "and/or"]),
        ("Home » Shop > Shoes »", ["Home", "Shop", "Shoes"]),
        ("Shop – the best - and—we–I", ["Shop", "the best", "and", "we–I"]),
        ("Hello.How are you?I'm fine", ["Hello.", "How are you?", "I'm fine"]),
        ("Node.js or a.B or A.Bc de.Fg.h", ["Node.js or a.B or A.Bc de.Fg.h"]),
        ("See https://a.example/Foo.Bar now", ["See https://a.example/Foo.Bar now"]),
    ],
)
def test_separators_divide_a_line(text: str, sentences: list[str]) -> None:
    assert [each.text for each in sentences_of_parts([Part(text)], 0, "en")] == sentences


def test_a_word_that_is_divided_at_the_end_of_a_line_is_one() -> None:
    parts = [Part("He reads a para-"), Part("graph on Ein-"), Part("und Ausgabe, B-"), Part("5.")]
    [sentence] = sentences_of_parts(parts, 0, "de")
    assert sentence.text == "He reads a paragraph on Ein- und Ausgabe, B- 5."


def test_a_tag_is_not_placed_within_a_placeholder() -> None:
    tags = (Tag(4, "<b>", "open", "b"), Tag(14, "</b>", "close", "b"))
    placed = place_tags("Hi, {{ name }}!", tags, "Hallo, {{ name }}!", [None] * 8)
    text = Part("Hallo, {{ name }}!", tuple(placed)).serialize(str)
    assert text == "Hallo, <b>{{ name }}</b>!"
