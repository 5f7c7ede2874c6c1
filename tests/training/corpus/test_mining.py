from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from training.__main__ import main

SRT = """1
00:00:01,000 --> 00:00:02,000
- Who is there?
- It is me,

2
00:00:02,200 --> 00:00:03,500
your brother.

3
00:00:05,000 --> 00:00:06,000
Come in.

4
00:00:09,000 --> 00:00:10,000
Good morning.
"""


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "one.srt").write_text(SRT)
    (tmp_path / "films" / "notes.txt").write_text("no film")
    return tmp_path / "films"


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_exchanges_come_with_their_place(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine", "films", "--scene-pause", "2.5"]) == 0
    captured = capsys.readouterr()
    me = "It is me, your brother."
    file = str(Path("films/one.srt"))
    assert lines(captured.out) == [
        {"file": file, "start": 1.0, "end": 3.5, "context": ["Who is there?"], "reply": me},
        {
            "file": file,
            "start": 5.0,
            "end": 6.0,
            "context": ["Who is there?", me],
            "reply": "Come in.",
        },
    ]
    assert captured.err == "2 exchanges of 1 files; 0 could not be read\n"


def test_pauses_and_context_can_be_set(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mine", "films", "--turn-pause", "0.1", "--context-turns", "1"]) == 0
    found = lines(capsys.readouterr().out)
    assert [each["reply"] for each in found] == [
        "It is me,",
        "your brother.",
        "Come in.",
        "Good morning.",
    ]
    assert all(len(each["context"]) == 1 for each in found)  # type: ignore[arg-type]


def test_a_list_of_paths_is_read_and_faults_are_named(
    films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("films/one.srt\nfilms/notes.txt\nnone.srt\n"))
    assert main(["mine", "-o", "exchanges.jsonl"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "left out: films/notes.txt: no subtitles" in captured.err
    assert "left out: none.srt: none.srt: no such file" in captured.err
    assert captured.err.endswith("3 exchanges of 1 files; 2 could not be read\n")
    assert len(lines(Path("exchanges.jsonl").read_text())) == 3
