from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from training.__main__ import main

ENGLISH = """1
00:00:01,000 --> 00:00:03,000
Where have you been
all night?

2
00:00:03,500 --> 00:00:05,000
- At the harbour.

3
00:00:10,000 --> 00:00:12,000
When the sun came up,

4
00:00:12,000 --> 00:00:14,000
I went home.
"""
GERMAN = """1
00:00:01,100 --> 00:00:03,200
Wo warst du die ganze Nacht?

2
00:00:03,400 --> 00:00:05,100
- Am Hafen.

3
00:00:10,100 --> 00:00:14,100
Als die Sonne aufging, ging ich heim.
"""


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for film in ("one", "two"):
        (tmp_path / film).mkdir()
        (tmp_path / film / "en.srt").write_text(ENGLISH)
        (tmp_path / film / "de.srt").write_text(GERMAN)
    (tmp_path / "notes.txt").write_text("no film")
    (tmp_path / "silent.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n\n")
    return tmp_path


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_pairs_come_with_their_place(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["align", "one/en.srt", "one/de.srt"]) == 0
    captured = capsys.readouterr()
    found = lines(captured.out)
    assert [(each["source"], each["target"]) for each in found] == [
        ("Where have you been all night?", "Wo warst du die ganze Nacht?"),
        ("At the harbour.", "Am Hafen."),
        ("When the sun came up, I went home.", "Als die Sonne aufging, ging ich heim."),
    ]
    score = found[2].pop("score")
    assert isinstance(score, float)
    assert 0.9 < score <= 1.0
    assert found[2] == {
        "source": "When the sun came up, I went home.",
        "target": "Als die Sonne aufging, ging ich heim.",
        "source_start": 10.0,
        "source_end": 14.0,
        "target_start": 10.1,
        "target_end": 14.1,
        "source_file": "one/en.srt",
        "target_file": "one/de.srt",
        "source_lines": [11, 15],
        "target_lines": [10],
    }
    assert captured.err == "3 pairs of 1 films; 0 could not be read\n"


def test_a_list_of_films_is_read_and_faults_are_named(
    films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = "".join(
        f"{source}\t{target}\n"
        for source, target in (
            ("one/en.srt", "one/de.srt"),
            ("two/en.srt", "two/de.srt"),
            ("notes.txt", "one/de.srt"),
            ("one/en.srt", "none.srt"),
            ("one/en.srt", "silent.srt"),
        )
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO(listed))
    assert main(["align", "-", "-o", "pairs.jsonl"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "left out: notes.txt: not subtitles" in captured.err
    assert "left out: none.srt: cannot be read" in captured.err
    assert "left out: silent.srt: has no cue with text" in captured.err
    assert captured.err.endswith("6 pairs of 2 films; 3 could not be read\n")
    assert len(lines((films / "pairs.jsonl").read_text())) == 6


def test_files_that_never_speak_together_are_refused(
    films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (films / "late.srt").write_text("1\n00:30:00,000 --> 00:30:01,000\nHallo.\n")
    (films / "early.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello.\n")
    assert main(["align", "early.srt", "late.srt", "--strict", "--min-score", "1.0"]) == 1
    assert "does not fit" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["align", "one/en.srt"], ["align", "-", "one/de.srt"]])
def test_one_file_alone_is_refused(
    films: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 1
    assert "align needs two files" in capsys.readouterr().err


def test_a_line_of_the_list_without_a_tab_is_named(
    films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one/en.srt one/de.srt\n"))
    assert main(["align", "-"]) == 1
    assert "standard input:1: expected SOURCE, a tab, TARGET" in capsys.readouterr().err


def test_no_pair_is_an_error(
    films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    why = "The lines above say why.\n"
    assert main(["align", "one/en.srt", "one/de.srt", "--min-score", "1"]) == 1
    printed = capsys.readouterr().err
    assert "its best pair with one/de.srt has a score of 0.9" in printed
    assert printed.endswith(f"error: 0 pairs of 1 films; 1 could not be read. {why}")
    assert main(["align", "one/en.srt", "silent.srt"]) == 1
    printed = capsys.readouterr().err
    assert printed.endswith(f"error: 0 pairs of 0 films; 1 could not be read. {why}")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["align", "-"]) == 1
    assert "could not be read. List SOURCE, a tab, TARGET on" in capsys.readouterr().err


@pytest.mark.parametrize("output", ["one/en.srt", "one/../one/de.srt"])
def test_a_file_that_is_read_is_not_written_over(
    films: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
) -> None:
    listed = "two/en.srt\ttwo/de.srt\none/en.srt\tone/de.srt\n"
    for arguments in (["one/en.srt", "one/de.srt"], ["-"]):
        monkeypatch.setattr(sys, "stdin", io.StringIO(listed))
        assert main(["align", *arguments, "-o", output]) == 1
        assert "is also an input." in capsys.readouterr().err
    assert Path("one/en.srt").read_text() == ENGLISH
    assert Path("one/de.srt").read_text() == GERMAN
