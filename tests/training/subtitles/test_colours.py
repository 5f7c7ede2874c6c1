from __future__ import annotations

import pytest

from training.subtitles.colours import colours_tell_speakers, runs_of, speakers_of

RED = '<font color="red">{}</font>'


@pytest.mark.parametrize(
    ("markup", "runs"),
    [
        ("Hi.", [("", "Hi.")]),
        ("<font color=#FFFF00>Hi.</font> Oh.", [("", ""), ("#ffff00", "Hi."), ("", " Oh.")]),
        ("<c.yellow.bg_black>Hi.</c>", [("", ""), ("yellow", "Hi."), ("", "")]),
        ("<c.yellow>a<00:01.0><c> b</c> c</c>", [("", ""), ("yellow", "a<00:01.0> b c"), ("", "")]),
        ('<font size="2">Hi.</font>', [("", "Hi.")]),
        ("<c.colorE5E5E5>so</c><c.colorCCCCCC> sure</c>", [("", "so sure")]),
        ("<c.loud>Hi.</c></c>", [("", "Hi.")]),
        ("<font color=red>open", [("", ""), ("red", "open")]),
    ],
)
def test_runs_of_one_colour(markup: str, runs: list[tuple[str, str]]) -> None:
    assert list(runs_of(markup)) == runs


def test_a_word_in_another_colour_stays_with_its_sentence() -> None:
    markup = RED.format("Never <i>me</i>.") + " No <font color=lime>way</font>!\nOh"
    assert [run for _, run in speakers_of(markup) if run] == ["Never <i>me</i>.", " No way!\nOh"]


def test_colours_of_lines_and_sentences_tell_speakers() -> None:
    assert colours_tell_speakers([f"Who?\n{RED.format('Me.')}", f"- {RED.format('Why?')} Yes."])
    assert colours_tell_speakers([RED.format("Who goes") + "\n" + "Me"])


def test_a_word_in_colour_tells_no_speaker() -> None:
    words = "we row the boat home".split()
    cues = [
        " ".join(RED.format(word) if word == said else word for word in words) for said in words
    ]
    assert not colours_tell_speakers(cues)
    assert not colours_tell_speakers(["Never <font color=red>ever</font> do it."] * 3)


def test_no_colour_tells_nothing() -> None:
    assert not colours_tell_speakers(["Who?\nMe.", "<i>Oh.</i>"])
