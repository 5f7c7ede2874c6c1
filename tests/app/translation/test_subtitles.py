from __future__ import annotations

from pathlib import Path

import pytest

from app.translation.encodings import decode
from app.translation.subtitles import FORMATS, MAX_CUES, FileError, format_of, parse_file
from model.errors import InputError

SRT = """\ufeff1
00:00:01,000 --> 00:00:02,500 X1:1
<i>Hello</i>
there.

2
00:00:03,000 --> 00:00:04,000

3
00:00:05 --> 00:00:06.5
Bye""".replace("\n", "\r\n")
VTT = """WEBVTT - a title

NOTE it --is-- a note

STYLE
::cue { color: red }

first
00:01.000 --> 00:02.500 align:start
<v Bob>Hello &amp; hi

00:00:03.000 --> 00:00:04.000
Bye
"""
ASS = """[Script Info]
Title: x, y

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,no
Dialogue: 0,0:00:01.00,0:00:02.50,Default,Bob,0,0,0,,{\\an8}Hello, you\\Nthere
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 9 9
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,Bye
"""
TXT = "  Hello there.\n\n\tBye\n"


@pytest.mark.parametrize(
    ("text", "form", "texts"),
    [
        (SRT, "srt", ["<i>Hello</i>\r\nthere.", "Bye"]),
        (VTT, "vtt", ["<v Bob>Hello &amp; hi", "Bye"]),
        (ASS, "ass", ["{\\an8}Hello, you\\Nthere", "Bye"]),
        (TXT, "txt", ["  Hello there.", "\tBye"]),
    ],
)
def test_a_file_keeps_every_byte_but_the_texts_of_its_cues(
    text: str, form: str, texts: list[str]
) -> None:
    file = parse_file(text, form)
    assert [cue.text for cue in file.cues] == texts
    assert file.render(texts) == text
    assert file.render(["1", "2"]) == text.replace(texts[0], "1").replace(texts[1], "2")


@pytest.mark.parametrize(("text", "form"), [(SRT, "srt"), (VTT, "vtt"), (ASS, "ass")])
def test_the_times_are_read(text: str, form: str) -> None:
    first, *_, last = parse_file(text, form).cues
    assert (first.start_ms, first.end_ms) == (1000, 2500)
    assert last.start_ms in (3000, 5000)


@pytest.mark.parametrize(
    ("text", "form", "line"),
    [
        ("1\n00:00:01,000 -> x\n", "srt", 2),
        ("1\n00:00:01,000 --> 00:00:02,000\nHi\n\n2\n00:00:0x --> 1\nHi", "srt", 6),
        ("Hi\n00:00:01,000 --> 00:00:02,000\nHi", "srt", 1),
        ("Hi", "srt", 1),
        ("1\n00:00:01,000 --> 00:00:02,000\nHi", "vtt", 1),
        ("WEBVTT\n\nx\n00:01 --> \nHi", "vtt", 4),
        ("Hi", "ass", 1),
        ("[Events]\nDialogue: 0,0:00:01.00,0:00:02.00\n", "ass", 2),
        ("[Events]\nDialogue: 0,1,2,D,,0,0,0,,Hi\n", "ass", 2),
        ("1\n00:00:01,000 --> 00:00:02,000\n" + "a" * 5001, "srt", 3),
        ("Hi\n" + "a " * 40_000, "txt", 2),
    ],
)
def test_a_fault_is_named_with_its_line(text: str, form: str, line: int) -> None:
    with pytest.raises(FileError, match=rf"^line {line}: "):
        parse_file(text, form)


def test_a_line_of_text_may_be_a_chapter() -> None:
    text = "One two. " * 5_000
    assert parse_file(text, "txt").render(["x"]) == "x"


def test_a_file_of_too_many_cues_is_refused() -> None:
    with pytest.raises(FileError, match="100,000 cues"):
        parse_file("a\n" * (MAX_CUES + 1), "txt")


@pytest.mark.parametrize("name", ["film.exe", "film", "srt", "film.srt.zip"])
def test_a_file_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"\.srt, \.vtt, \.ass"):
        format_of(name)


def test_real_files_come_back_byte_by_byte(data_folder: Path) -> None:
    files = [
        path
        for folder in (
            "real-subtitles/tv",
            "real-subtitles/films",
            "film-subtitles",
            "odd-subtitles",
        )
        for path in (data_folder / folder).iterdir()
        if path.suffix[1:] in FORMATS and path.name != "amightyheart.en.srt"  # two times in a line
    ]
    assert len(files) > 60
    for path in files:
        data = path.read_bytes()
        text, encoding = decode(data, path.name.split(".")[-2][:2])
        file = parse_file(text, format_of(path.name))
        assert len(file.cues) > 1 or path.parent.name == "odd-subtitles", path
        assert encoding.encode(file.render([cue.text for cue in file.cues])) == data, path
