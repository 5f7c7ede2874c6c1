from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.files.encodings import decode
from training.files.records import Cue, Fault
from training.subtitles.webvtt import WEBVTT_START, blocks_of, captions_of, parse_webvtt

HOURS = (
    "If string is not exactly two characters in length, or if value1 is greater than 59, let most "
    "significant units be hours. [...] If the character at position is not a U+003A COLON "
    "character (:), then return an error"
)
#: Where we do not read what vtt.js did: the sentence of the specification (section 6, "collect a
#: WebVTT timestamp" and "collect a WebVTT block") by which it was wrong, or the parser's limit.
EXCEPTIONS = {
    "cue-times/min-top-digits.vtt": HOURS,  # 000:00.000
    "cue-times/minimum-spots-over-sixty.vtt": HOURS,  # 120:00.000
    "file-layout/header-no-new-line.vtt": (  # a time right below WEBVTT begins a cue
        "[If in header is set and line contains -->] let position be previous position and break "
        "out of loop"
    ),
    "cue-times/fraction-digits.vtt": (  # webvtt-py also reads 00:00.00, a hundredth of a second
        "If string is not exactly three characters in length, return an error"
    ),
}
VTT = "WEBVTT\n\n"
TIMES = "00:01.000 --> 00:02.500"


def raw_cues(text: str) -> list[tuple[int, int, str]]:
    """Start, end and text of each cue, with its markup."""
    if not WEBVTT_START.match(text):
        return []
    captions = [each for line, block in blocks_of(text) for each in captions_of(block, line == 1)]
    return [
        (each.start_time.in_milliseconds(), each.end_time.in_milliseconds(), each.raw_text)
        for each in captions
    ]


def test_conformance(data_folder: Path) -> None:
    folder = data_folder / "webvtt-conformance"
    rows = [line.split("\t") for line in (folder / "expected.tsv").read_text().splitlines()]
    other = set()
    for name, expected_name in rows:
        text = decode((folder / name).read_bytes())[0]
        found = raw_cues(text.replace("\r\n", "\n").replace("\r", "\n"))
        if expected_name == "-":
            continue
        cues = json.loads((folder / expected_name).read_text())["cues"]
        expected = [
            (round(1000 * cue["startTime"]), round(1000 * cue["endTime"]), cue["text"])
            for cue in cues
        ]
        if found != expected:
            other.add(name)
    assert other == set(EXCEPTIONS)
    assert len(rows) == 255  # 251 of the 253 whose cues are given, and 2 without


@pytest.mark.parametrize(
    ("text", "speakers"),
    [
        ("<v Roger Bingham>We are here", [("Roger Bingham", "We are here")]),
        ("<v.loud Ann>Hi!</v>\n<v Bob>Oh.", [("Ann", "Hi!"), ("Bob", "Oh.")]),
        ("Well, <v Ann>hi</v> there", [("", "Well,"), ("Ann", "hi"), ("", "there")]),
        ("<c.red>1 &lt; 2</c> &amp; <00:01.500><i>3", [("", "1 < 2 & 3")]),
        ("<v>who?", [("", "who?")]),
        ("cut <b", [("", "cut")]),
        ("<ruby>海<rt>うみ</rt></ruby>へ<ruby>行<rt>い</ruby>く？", [("", "海へ行く？")]),
    ],
)
def test_voices_are_speakers_and_markup_is_no_text(
    text: str, speakers: list[tuple[str, str]]
) -> None:
    cues = list(parse_webvtt(f"{VTT}{TIMES}\n{text}\n", "a.vtt"))
    assert cues == [Cue(1000, 2500, said, 3, speaker) for speaker, said in speakers]


def test_colours_that_tell_speakers_are_parted() -> None:
    text = "<c.yellow>- When?</c>\n<c.cyan>- Now.</c>\nOh."
    assert list(parse_webvtt(f"{VTT}{TIMES}\n{text}\n", "a.vtt")) == [
        Cue(1000, 2500, "- When?", 3, "", "yellow"),
        Cue(1000, 2500, "- Now.", 3, "", "cyan"),
        Cue(1000, 2500, "Oh.", 3),
    ]


def test_the_header_comes_again_where_segments_are_joined() -> None:
    segment = f"WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n{TIMES}\nHi.\n\n"
    assert list(parse_webvtt(segment * 2, "a.vtt")) == [
        Cue(1000, 2500, "Hi.", 4),
        Cue(1000, 2500, "Hi.", 10),
    ]


@pytest.mark.parametrize(
    "block", ["NOTE a --> b", "STYLE\n::cue { color: red }", "REGION\nid:fred", f"id\n{TIMES}"]
)
def test_other_blocks_show_nothing(block: str) -> None:
    found = list(parse_webvtt(f"{VTT}{block}\n", "a.vtt"))
    assert [each for each in found if isinstance(each, Cue)] == []
    assert len(found) == ("-->" in block and block.startswith("NOTE"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "00:01.000 --> 00:0x.500\nHi.",
            Fault("a.vtt:3", "expected a cue, mm:ss.mmm --> mm:ss.mmm"),
        ),
        ("00:02.000 --> 00:01.000\nHi.", Fault("a.vtt:3", "ends before it starts")),
        (f"{TIMES}\nHi.\n\nlost", Fault("a.vtt:6", "text outside of a cue")),
    ],
)
def test_what_is_not_read_is_named_with_its_line(text: str, fault: Fault) -> None:
    found = list(parse_webvtt(VTT + text, "a.vtt"))
    assert [each for each in found if isinstance(each, Fault)] == [fault]


@pytest.mark.parametrize(
    ("text", "is_it"),
    [("WEBVTT", True), ("WEBVTT - of a film\n", True), ("WEBVTTs\n", False), (" WEBVTT\n", False)],
)
def test_the_signature_is_a_word(text: str, is_it: bool) -> None:
    assert bool(WEBVTT_START.match(text)) == is_it
