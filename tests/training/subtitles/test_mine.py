from __future__ import annotations

import gzip
import io
import json
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_SECONDS
from training.__main__ import main
from training.files.records import Fault
from training.subtitles.mine import Exchange, MiningOptions, mine

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
    monkeypatch.setattr(sys, "stdin", io.StringIO("films/one.srt\n\nfilms/notes.txt\nnone.srt\n"))
    assert main(["mine", "-", "-o", "exchanges.jsonl"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "left out: films/notes.txt: not subtitles" in captured.err
    assert "left out: none.srt: no such file. Correct the path.\n" in captured.err
    assert captured.err.endswith("3 exchanges of 1 files; 2 could not be read\n")
    assert len(lines(Path("exchanges.jsonl").read_text())) == 3


def test_a_list_may_begin_with_a_mark_and_hold_names_that_are_not_utf8(
    films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("films/one.srt").rename("films/caf\udce9.srt")
    listed = io.BytesIO(b"\xef\xbb\xbffilms/caf\xe9.srt\r\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(listed, encoding="utf-8"))
    assert main(["mine", "-", "-", "-o", "exchanges.jsonl"]) == 0
    assert capsys.readouterr().err == "3 exchanges of 1 files; 0 could not be read\n"


def test_the_folder_of_the_output_is_created(films: Path) -> None:
    assert main(["mine", "films/one.srt", "-o", "found/today/exchanges.jsonl"]) == 0
    assert len(lines(Path("found/today/exchanges.jsonl").read_text())) == 3


def test_closed_streams_are_told(
    films: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["mine", "-"]) == 1
    assert capsys.readouterr().err == "error: standard input is closed, but - reads from it.\n"
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["mine", "films"]) == 1
    assert "error: standard output is closed." in capsys.readouterr().err


def test_a_file_of_output_stays_until_there_is_something_to_write(
    films: Path,
) -> None:
    output = films.parent / "exchanges.jsonl"
    output.write_text("of yesterday\n")
    assert main(["mine", "none.srt", "-o", "exchanges.jsonl"]) == 1
    assert main(["mine", "none.srt", "films", "--strict", "-o", "exchanges.jsonl"]) == 1
    assert output.read_text() == "of yesterday\n"
    assert main(["mine", "films", "-o", "exchanges.jsonl"]) == 0
    assert len(lines(output.read_text())) == 3


def test_strict_makes_a_fault_an_error(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (films / "two.srt").write_text(SRT.replace("00:00:05,000", "00:00:5x"))
    assert main(["mine", "films", "--strict"]) == 1
    assert "error: films/two.srt:11: expected hh:mm:ss,mmm" in capsys.readouterr().err
    assert main(["mine", "films/one.srt", "--strict"]) == 0


def test_an_archive_is_a_folder(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile("films.zip", "w") as archive:
        for name in ("a/one.srt", "two.vtt", "readme.nfo"):
            archive.writestr(name, SRT)
    Path("three.srt.gz").write_bytes(gzip.compress(SRT.encode("utf-16")))
    assert main(["mine", "films.zip", "three.srt.gz"]) == 0
    files = [each["file"] for each in lines(capsys.readouterr().out)]
    assert set(files) == {"films.zip/a/one.srt", "films.zip/two.vtt", "three.srt.gz"}


def test_speakers_are_told_where_the_file_names_them(films: Path) -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Hello.\n\n00:03.000 --> 00:04.000\nBOB: Hi.\n"
    (films / "one.vtt").write_text(text + "\n00:05.000 --> 00:06.000\nFine?\n")
    one, two = (each for each in mine(["films/one.vtt"], MiningOptions()))
    assert isinstance(one, Exchange) and isinstance(two, Exchange)
    assert (one.context, one.reply, one.speakers) == (("Hello.",), "Hi.", ("Ann", "BOB"))
    assert two.to_json()["speakers"] == ("Ann", "BOB", "")


def test_nothing_answers_what_could_not_be_read(films: Path) -> None:
    (films / "one.srt").write_text(SRT.replace("00:00:05,000", "00:00:5x"))
    fault, *found = mine(["films/one.srt"], MiningOptions())
    assert isinstance(fault, Fault)
    assert [each.reply for each in found if isinstance(each, Exchange)] == [
        "It is me, your brother."
    ]


def test_one_of_two_languages_is_kept(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["Who is there?\n是谁？", "It is me.\n是我。", "Come in.\n进来。"]
    cues = (f"00:00:0{n},000 --> 00:00:0{n},500\n{text}\n\n" for n, text in enumerate(texts))
    (films / "one.srt").write_text("".join(cues), encoding="utf-8")
    assert main(["mine", "films", "--keep-language", "zh"]) == 0
    captured = capsys.readouterr()
    assert [each["reply"] for each in lines(captured.out)] == ["是我。", "进来。"]
    assert captured.err.endswith("; 0 could not be read\n")
    assert main(["mine", "films"]) == 0
    assert "one.srt:1: shows two languages in many cues" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--context-turns", "0"],
        ["--scene-pause", "-1"],
        ["--turn-pause", "nan"],
        ["--keep-language", "klingon"],
    ],
)
def test_settings_without_sense_are_refused(
    films: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["mine", "films", *arguments])
    assert f"Received: {arguments[1]}" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_named(
    films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mine", "films", "-o", "films/one.srt/a.jsonl"]) == 1
    assert "films/one.srt: cannot be written: File exists" in capsys.readouterr().err


def test_a_reader_that_has_enough_ends_it_quietly(films: Path) -> None:
    times = (f"00:{n // 60:02}:{n % 60:02}" for n in range(3000))
    (films / "one.srt").write_text("".join(f"{t},000 --> {t},500\nYes.\n\n" for t in times))
    command = (
        f"{shlex.quote(sys.executable)} -m training mine {shlex.quote(str(films))} | head -n 1"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        command, shell=True, cwd=root, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert json.loads(done.stdout)["reply"]
    assert done.stderr == ""


def test_files_without_an_exchange_are_counted(
    films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (films / "two.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nAlone.\n")
    (films / "three.srt").write_text("no film")
    assert main(["mine", "films"]) == 0
    assert capsys.readouterr().err.endswith("3 exchanges of 2 files; 1 could not be read\n")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.srt", "0 exchanges of 0 files; 1 could not be read. The lines above say why."),
        ("notes", "0 exchanges of 0 files; 0 could not be read. Name files that end in .srt, .vtt"),
        ("alone.srt", "0 exchanges of 1 files; 0 could not be read. An exchange is two turns,"),
    ],
)
def test_no_exchange_is_an_error_that_says_what_to_do(
    films: Path, capsys: pytest.CaptureFixture[str], path: str, message: str
) -> None:
    Path("alone.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nAlone.\n")
    Path("notes").mkdir()
    for name in ("a.md", "b.md"):
        Path("notes", name).write_text("no film")
    assert main(["mine", path]) == 1
    assert f"error: {message}" in capsys.readouterr().err


@pytest.mark.parametrize("paths", [["films"], ["films/*.srt"], ["films/one.srt", "films/two.srt"]])
@pytest.mark.parametrize("output", ["films/two.srt", "./films/../films/two.srt"])
def test_a_file_that_is_read_is_not_written_over(
    films: Path, capsys: pytest.CaptureFixture[str], paths: list[str], output: str
) -> None:
    (films / "two.srt").write_text(SRT)
    assert main(["mine", *paths, "-o", output]) == 1
    assert "two.srt: is also an input." in capsys.readouterr().err
    assert (films / "two.srt").read_text() == SRT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("output", ["-o /dev/full", "> /dev/full"])
def test_a_full_disk_is_one_sentence(films: Path, output: str) -> None:
    (films / "one.srt").write_text(SRT * 200)
    command = f"{shlex.quote(sys.executable)} -m training mine {shlex.quote(str(films))} {output}"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        command, shell=True, cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert done.stderr.endswith(
        "cannot be written: No space left on device. Free some space, then start again.\n"
    )
    assert done.stderr.count("\n") == 1
