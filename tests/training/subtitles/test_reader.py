from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.files.records import Example, Fault
from training.subtitles.reader import read_subtitles


def srt(*cues: tuple[float, float, str]) -> str:
    """A SubRip file of (start, end, text), in seconds below 60."""
    blocks = (
        f"{number}\n{_time(start)} --> {_time(end)}\n{text}\n"
        for number, (start, end, text) in enumerate(cues, start=1)
    )
    return "\n".join(blocks)


def _time(seconds: float) -> str:
    return f"00:00:{seconds:06.3f}".replace(".", ",")


def exchanges(path: Path, content: str | bytes) -> list[tuple[str, str]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    records = list(read_subtitles(path))
    assert all(isinstance(record, Example) for record in records), records
    return [(each.source[-1], each.target) for each in records if isinstance(each, Example)]


def test_cues_are_turns_of_a_dialogue(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_text(srt((1, 2, "Who is there?"), (3, 4, "It is me."), (5, 6, "Come in.")))
    assert list(read_subtitles(path)) == [
        Example(("Who is there?",), "It is me.", str(path), f"{path}:3"),
        Example(("Who is there?", "It is me."), "Come in.", str(path), f"{path}:5"),
    ]


def test_a_sentence_goes_on_in_the_next_cue(tmp_path: Path) -> None:
    cues = srt((1, 2, "I wanted\nto tell you"), (2.1, 3, "that I leave."), (4, 5, "Oh."))
    assert exchanges(tmp_path / "film.srt", cues) == [("I wanted to tell you that I leave.", "Oh.")]


def test_a_long_pause_ends_a_conversation(tmp_path: Path) -> None:
    cues = srt((1, 2, "Hello."), (3, 4, "Hi."), (9, 10, "It rains."), (11, 12, "Yes."))
    assert exchanges(tmp_path / "film.srt", cues) == [("Hello.", "Hi."), ("It rains.", "Yes.")]


@pytest.mark.parametrize("dash", ["-", "- ", "\u2013 ", "\u2014"])
def test_dashes_part_speakers(tmp_path: Path, dash: str) -> None:
    cues = srt((1, 2, f"{dash}Are you well\n{dash}Yes, I am"))
    assert exchanges(tmp_path / "film.srt", cues) == [("Are you well", "Yes, I am")]


@pytest.mark.parametrize(
    "text",
    [
        "<i>Good evening.</i>",
        "(door opens) Good evening.",
        "[MUSIC]\nGood evening.",
        "ANNA: Good evening.",
        "MAN 2: Good evening.",
        "(sighs)\nMrs. Smith: Good evening.",
        "\u266a la la la \u266a\nGood evening.",
        "{\\an8}Good evening.",
    ],
)
def test_only_what_is_said_is_kept(tmp_path: Path, text: str) -> None:
    cues = srt((1, 2, text), (3, 4, "Here is the thing: I am late."))
    assert exchanges(tmp_path / "film.srt", cues) == [
        ("Good evening.", "Here is the thing: I am late.")
    ]


def test_adverts_and_empty_cues_are_no_turns(tmp_path: Path) -> None:
    cues = srt(
        (1, 2, "Downloaded from www.example.org"),
        (2, 3, "Hello."),
        (3, 4, "(LAUGHS)"),
        (4, 5, "Hi."),
        (5, 6, "Subtitles by nobody"),
    )
    assert exchanges(tmp_path / "film.srt", cues) == [("Hello.", "Hi.")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    said = [
        "O\u00f9 est le caf\u00e9 de la for\u00eat, s'il vous pla\u00eet\u00a0?",
        "L\u00e0-bas, apr\u00e8s l'\u00e9glise, derri\u00e8re le th\u00e9\u00e2tre.",
        "Je ne l'ai jamais trouv\u00e9, j'ai cherch\u00e9 toute la journ\u00e9e.",
        "\u00c7a alors\u00a0! Le gar\u00e7on \u00e0 l'entr\u00e9e a d\u00fb vous oublier.",
        "Peut-\u00eatre. Il \u00e9tait tr\u00e8s occup\u00e9 \u00e0 r\u00eaver.",
    ]
    cues = srt(*((i, i + 0.5, text) for i, text in enumerate(said, start=1)))
    found = exchanges(tmp_path / "film.srt", cues.encode(encoding))
    assert found == list(pairwise(said))


def test_the_few_quotes_of_a_western_text_do_not_change_its_letters(tmp_path: Path) -> None:
    text = "It is what they call a film, and it is a long one with many words in it."
    cues = srt((1, 2, f"\x96 {text}"), (3, 4, text), (5, 6, text)).encode("latin-1")
    assert exchanges(tmp_path / "film.srt", cues)[0] == (text, text)


def test_webvtt_and_substation_are_read_too(tmp_path: Path) -> None:
    vtt = "WEBVTT\n\n00:01.000 --> 00:02.000\nHello.\n\n00:03.000 --> 00:04.000\nHi.\n"
    assert exchanges(tmp_path / "film.vtt", vtt) == [("Hello.", "Hi.")]
    ass = (
        "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,a note\n"
        "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\i1}Hello.{\\i0}\n"
        "Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,Hi,\\Nthere.\n"
    )
    assert exchanges(tmp_path / "film.ass", ass) == [("Hello.", "Hi, there.")]


def test_another_file_is_one_fault(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    path.write_text("nothing of a film")
    [fault] = read_subtitles(path)
    assert isinstance(fault, Fault)
    assert fault.origin == str(path)


@settings(max_examples=60)
@given(
    head=st.sampled_from(
        [
            b"",
            b"WEBVTT\n\n",
            b"1\n00:00:01,000 --> 00:00:02,000\n",
            b"[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: ",
            b"{1}{1}25.0\n{10}{20}",
            b'{"info":',
            b"<tt>",
        ]
    ),
    content=st.binary(max_size=120),
)
def test_wild_bytes_are_faults_at_worst(tmp_path: Path, head: bytes, content: bytes) -> None:
    path = tmp_path / "wild.srt"
    path.write_bytes(head + content)
    assert all(isinstance(record, Example | Fault) for record in read_subtitles(path))
