from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from model import __main__ as command
from model.generator import Generator

LINES = ["hello there", "", "my name is robin", " \t ", "what is your name?\ti like films", "\x00"]


def run(monkeypatch: pytest.MonkeyPatch, text: str, *arguments: str) -> int:
    stream = io.TextIOWrapper(io.BytesIO(text.encode("utf-8", "surrogateescape")))
    monkeypatch.setattr(sys, "stdin", stream)
    return command.main(list(arguments))


def test_answers_stand_beside_their_sources(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "WINDOW", 4)
    text = "\n".join(LINES * 3) + "\n"
    assert run(monkeypatch, text, "reply", str(exported_folder), "--max-tokens", "8") == 0
    answers = capsys.readouterr().out.split("\n")[:-1]
    generator = Generator.load(exported_folder)
    options = generator.config.search.model_copy(update={"max_tokens": 8})
    expected = [
        generator.generate([line.split("\t")], options)[0][0].text if line.strip("\t \x00") else ""
        for line in LINES
    ]
    assert answers == expected * 3
    assert any(expected)


def test_words_can_be_required(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = ("--beam-size", "8", "--required-word", "robin", "--required-word", "films")
    assert run(monkeypatch, "hello\nwho\n", "reply", str(exported_folder), *wishes) == 0
    for answer in capsys.readouterr().out.splitlines():
        assert "robin" in answer
        assert "films" in answer


def test_bytes_that_are_no_text_are_answered(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "hello \udcff\n", "reply", str(exported_folder)) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["translate"], "this model's task is 'reply', not 'translate'"),
        (["reply", "--beam-size", "0"], "options: beam_size"),
        (["reply", "--required-word", "fine"], "required words need a beam"),
        (["reply", "--beam-size", "4", "--required-word", " "], "required word ' ' holds no text"),
        (["reply", "--engine", "onnx-int8"], "no int8 graphs"),
    ],
)
def test_what_cannot_be_done_is_said(
    untrained_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    task, *options = arguments
    assert run(monkeypatch, "hello\n", task, str(untrained_folder), *options) == 1
    found = capsys.readouterr()
    assert message in found.err
    assert not found.out


def test_a_reader_that_has_enough_is_no_error(exported_folder: Path) -> None:
    process = subprocess.run(
        f"yes hello | head -20000 | {sys.executable} -m model reply {exported_folder} | head -1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert process.stdout.count("\n") == 1
    assert "Error" not in process.stderr
