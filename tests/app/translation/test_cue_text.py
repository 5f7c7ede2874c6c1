from __future__ import annotations

import pytest

from app.translation.cue_text import CueText, continues_sentence, parse_cue_text
from app.translation.parts import Part


def again(cue: CueText) -> str:
    """The cue with its own texts."""
    return cue.render([utterance.part for utterance in cue.utterances])


@pytest.mark.parametrize(
    ("raw", "form"),
    [
        ("- Well?\r\n- <b>No</b>, never.", "srt"),
        ("{\\an8}<i>Hello there</i>", "srt"),
        ("-5 degrees", "srt"),
        ("2 < 3", "srt"),
        ("<v Bob>Hello &amp; <c.red>goodbye</c>", "vtt"),
        ("{\\i1}Hello{\\i0}\\hyou", "ass"),
    ],
)
def test_a_cue_of_short_lines_comes_back(raw: str, form: str) -> None:
    assert again(parse_cue_text(raw, form)) == raw


def test_each_dash_begins_what_another_person_says() -> None:
    cue = parse_cue_text("<i>I told you\nso.</i>\n- Never.\n>> What?", "srt")
    assert [(each.lead, each.part.text) for each in cue.utterances] == [
        ("", "I told you so."),
        ("- ", "Never."),
        (">> ", "What?"),
    ]
    assert [tag.raw for tag in cue.utterances[0].part.tags] == ["<i>", "</i>"]


@pytest.mark.parametrize(
    ("raw", "lead", "text"),
    [
        ("MAN #1: Where is my book?", "MAN #1: ", "Where is my book?"),
        ("- ÉMILE: Hello there.", "- ÉMILE: ", "Hello there."),
        ("WE HAVE ONE PROBLEM: THE BRIDGE.", "", "WE HAVE ONE PROBLEM: THE BRIDGE."),
        ("Remember: never again.", "", "Remember: never again."),
        ("10:30 is late.", "", "10:30 is late."),
        ("We met TOM: he is well.", "", "We met TOM: he is well."),
    ],
)
def test_a_name_in_capitals_is_not_spoken(raw: str, lead: str, text: str) -> None:
    [utterance] = parse_cue_text(raw, "srt").utterances
    assert (utterance.lead, utterance.part.text) == (lead, text)


def test_each_name_begins_what_another_person_says() -> None:
    cue = parse_cue_text("<i>JOHN: Hello\nthere.</i>\nANN: Never.", "srt")
    assert [(each.lead, each.part.text) for each in cue.utterances] == [
        ("JOHN: ", "Hello there."),
        ("ANN: ", "Never."),
    ]
    assert again(cue) == "JOHN: <i>Hello there.</i>\nANN: Never."


def test_a_longer_text_is_broken_into_lines_of_equal_length_around_its_tags() -> None:
    cue = parse_cue_text("I told you to go.", "srt")
    [utterance] = cue.utterances
    text = "Ich habe dir doch gesagt, dass du nach Hause gehen sollst."
    assert cue.render([Part(text)]) == text.replace(", ", ",\n")
    chinese = "我不知道你在说什么但是我觉得我们应该现在就回家去了"
    assert [len(line) for line in cue.render([Part(chinese)]).split("\n")] == [12, 13]
    korean = "네가 무슨 말을 하는지 모르겠지만 우리는 지금 집에 가야 해"
    assert cue.render([Part(korean)]).count("\n") == 1
    thai = "ผมไม่รู้ว่าคุณพูดเรื่องอะไร แต่เราควรกลับบ้าน"
    assert cue.render([Part(thai)]) == thai
    assert cue.render([Part(thai + "ตอนนี้เลยนะครับ")]) == thai.replace(" ", "\n") + "ตอนนี้เลยนะครับ"
    assert utterance.lines == 1


def test_substation_wraps_its_own_lines() -> None:
    text = "Ich habe dir doch gesagt, dass du nach Hause gehen sollst."
    assert parse_cue_text("I told you to go.", "ass").render([Part(text)]) == text


def test_a_translation_is_escaped_as_its_format_needs() -> None:
    assert parse_cue_text("a", "vtt").render([Part("1 < 2 & 3")]) == "1 &lt; 2 &amp; 3"
    assert parse_cue_text("a", "ass").render([Part("{x}")]) == "(x)"


@pytest.mark.parametrize(
    ("before", "after", "pause_ms", "is_so"),
    [
        ("I told you", "to go home.", 200, True),
        ("I told you.", "To go home.", 200, False),
        ("I told you", "- No.", 200, False),
        ("I told you", "to go home.", 5000, False),
        ("[MUSIC]", "to go home.", 200, False),
        ("JOHN:", "to go home.", 200, False),
        ("42", "Go home.", 200, False),
        ("I was born in", "1990.", 200, True),
        ("我不知道", "你在说什么", 200, False),
        ("我不知道，", "你在说什么", 200, True),
    ],
)
def test_a_sentence_goes_on_unless_something_ends_it(
    before: str, after: str, pause_ms: int, is_so: bool
) -> None:
    [utterance] = parse_cue_text(after, "srt").utterances
    assert continues_sentence(Part(before), utterance, pause_ms) is is_so
