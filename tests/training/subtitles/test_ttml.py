"""Reads TTML with the times, frames and ticks of broadcasters and streaming services."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.files.records import Cue, Fault
from training.subtitles.cues import read_cues

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<tt xmlns="http://www.w3.org/ns/ttml" '
    'xmlns:ttp="http://www.w3.org/ns/ttml#parameter" {}>\n<head><metadata>'
    '<ttm:title xmlns:ttm="http://www.w3.org/ns/ttml#metadata">A film</ttm:title></metadata></head>'
)


def cues(folder: Path, body: str, rates: str = "") -> list[Cue | Fault]:
    path = folder / "a.ttml"
    path.write_text(f"{HEAD.format(rates)}\n{body}</tt>\n", "utf-8")
    return list(read_cues(path))


def test_a_paragraph_is_a_cue_and_a_tag_breaks_its_lines(tmp_path: Path) -> None:
    body = (
        '<body><div>\n<p begin="00:00:01.500" end="00:00:02.250">- Who\n   is there?<br/>'
        '<span style="i">- It &amp; me.</span></p>\n<p begin="3s" dur="500ms"> </p></div></body>'
    )
    assert cues(tmp_path, body) == [Cue(1500, 2250, "- Who is there?\n- It & me.", 5)]


@pytest.mark.parametrize(
    ("rates", "begin", "end", "expected"),
    [
        ("", "00:00:01:15", "00:00:02:00", (1500, 2000)),
        ('ttp:frameRate="25"', "00:00:01:05", "50f", (1200, 2000)),
        ('ttp:frameRate="24" ttp:frameRateMultiplier="1000 1001"', "24f", "48f", (1001, 2002)),
        ('ttp:tickRate="10000000"', "10000000t", "25000000t", (1000, 2500)),
        ("", "1.5s", "0.05m", (1500, 3000)),
        ("", "0.001h", "3700ms", (3600, 3700)),
        ("", "10:00:01.000", "10:00:02.000", (36_001_000, 36_002_000)),
    ],
)
def test_times_are_read_in_all_units(
    tmp_path: Path, rates: str, begin: str, end: str, expected: tuple[int, int]
) -> None:
    body = f'<body><div><p begin="{begin}" end="{end}">Yes.</p></div></body>'
    assert cues(tmp_path, body, rates) == [Cue(*expected, "Yes.", 4)]


def test_times_are_relative_to_those_around_them(tmp_path: Path) -> None:
    body = (
        '<body begin="10s"><div begin="1s" dur="5s">\n<p begin="1s" end="2s">One.</p>\n'
        "<p>Two.</p>\n"
        '<p><span begin="3s" end="4s">Three.</span> <span begin="4s">Four.</span></p></div></body>'
    )
    assert cues(tmp_path, body) == [
        Cue(12_000, 13_000, "One.", 5),
        Cue(11_000, 16_000, "Two.", 6),
        Cue(14_000, 15_000, "Three.", 7),
        Cue(15_000, 16_000, "Four.", 7),
    ]


def test_a_bad_cue_costs_no_other(tmp_path: Path) -> None:
    body = (
        '<body><div><p begin="one" end="2s">A</p>\n<p begin="2s" end="1s">B</p>\n'
        '<p begin="2s">C</p>\n<p begin="3s" end="4s">D</p></div></body>'
    )
    found = cues(tmp_path, body)
    assert [each.reason.split(",")[0] for each in found if isinstance(each, Fault)] == [
        "expected a time such as 00:00:01.000 or 1.5s",
        "ends before it starts",
        "has no end",
    ]
    assert found[-1] == Cue(3000, 4000, "D", 7)


def test_a_document_that_breaks_keeps_what_came_before(tmp_path: Path) -> None:
    found = cues(
        tmp_path, '<body><p begin="1s" end="2s">One.</p><p begin="2s" end="3s">Two.</body>'
    )
    assert found[0] == Cue(1000, 2000, "One.", 4)
    assert isinstance(found[-1], Fault) and found[-1].reason.startswith("not TTML: mismatched tag")


def test_speakers_are_told_and_readings_are_no_text(tmp_path: Path) -> None:
    body = (
        '<tt:body xmlns:tt="http://www.w3.org/ns/ttml"><tt:p begin="1s" end="2s" ttm:agent="Anna" '
        'xmlns:ttm="http://www.w3.org/ns/ttml#metadata"><tt:span tts:ruby="container" '
        'xmlns:tts="http://www.w3.org/ns/ttml#styling"><tt:span tts:ruby="base">海</tt:span>'
        '<tt:span tts:ruby="text">うみ</tt:span></tt:span>へ。</tt:p></tt:body>'
    )
    assert cues(tmp_path, body) == [Cue(1000, 2000, "海へ。", 4, "Anna")]
