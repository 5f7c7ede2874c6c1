from __future__ import annotations

import errno
import io
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from training import __main__ as command
from training import json_lines
from training.__main__ import main
from training.errors import CheckpointError

RECIPE = """
name = "words"
task = "translate"
output = "{output}"

[corpus]
dev_fraction = 0.3
sources = [{{ format = "pairs", path = "{path}" }}]

[tokenizer]
type = "word"
"""

WORDS = ["".join(word) for word in product("abcd", "efg", "hijk")]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "pairs.tsv").write_text("".join(f"a {word} here\tein {word}\n" for word in WORDS))
    path = tmp_path / "words.toml"
    path.write_text(RECIPE.format(output=(tmp_path / "run").as_posix(), path="pairs.tsv"))
    return path


def test_prepare_says_what_it_made(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", str(recipe)]) == 0
    summary, expectation, *notes = capsys.readouterr().out.splitlines()
    assert "train" in summary
    assert "expect a model to learn" in expectation
    assert notes
    assert all(note.startswith("note: ") for note in notes)
    assert (recipe.parent / "run" / "data" / "report.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--executor", "ray"], "install the extra 'ray'"),
        (["--executor", "ray", "--workers", "2"], "--workers needs --executor processes"),
        (["--address", "a:6379"], "--address needs --executor ray"),
    ],
)
def test_a_cluster_needs_ray_and_has_options_of_its_own(
    recipe: Path,
    options: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["prepare", str(recipe), *options]) == 1
    assert message in capsys.readouterr().err


def test_an_error_is_one_line_on_stderr(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(RECIPE.format(output=(tmp_path / "run").as_posix(), path="none.tsv"))
    assert main(["prepare", str(recipe)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: none.tsv")
    assert captured.err.count("\n") == 1


def test_a_missing_recipe_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "none.toml"]) == 1
    assert capsys.readouterr().err.startswith("error: none.toml")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (CheckpointError("broken"), 1, "error: broken\n"),
        (KeyboardInterrupt(), 130, "stopped; the same command resumes from here\n"),
    ],
)
def test_an_interrupt_and_an_error_end_without_a_traceback(
    recipe: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    code: int,
    said: str,
) -> None:
    def stop(*_: object, **__: object) -> str:
        raise raised

    monkeypatch.setattr(command, "prepare", stop)
    assert main(["prepare", str(recipe)]) == code
    assert capsys.readouterr().err.startswith(said)


SUBTITLES = """1
00:00:01,000 --> 00:00:02,000
Who is there?

2
00:00:03,000 --> 00:00:04,000
It is me.
"""
FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("to_file", [True, False])
def test_a_full_disk_is_one_sentence(tmp_path: Path, to_file: bool) -> None:
    (tmp_path / "film.srt").write_text(SUBTITLES)
    command = [sys.executable, "-m", "training", "mine", str(tmp_path / "film.srt")]
    with FULL.open("w") as full:
        done = subprocess.run(
            [*command, "-o", str(FULL)] if to_file else command,
            stdout=subprocess.PIPE if to_file else full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    place = FULL if to_file else "standard output"
    assert done.stderr == (
        f"error: {place}: cannot be written: No space left on device. "
        "Free some space, then start again.\n"
    )


def test_a_folder_below_a_file_is_one_sentence(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    output = (tmp_path / "file" / "run").as_posix()
    recipe.write_text(RECIPE.format(output=output, path="pairs.tsv"))
    assert main(["prepare", str(recipe)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {output}")
    assert error.endswith("a folder in this one is a file.\n")
    assert error.count("\n") == 1


def test_an_error_of_the_system_without_a_place_names_the_recipe(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> str:
        raise OSError(errno.EFBIG, "Error writing bytes to file")

    monkeypatch.setattr(command, "prepare", stop)
    assert main(["prepare", str(recipe)]) == 1
    assert capsys.readouterr().err.startswith(f"error: output of {recipe}: File too large. Raise")


def test_what_cannot_go_on_does_not_claim_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(json_lines, "mine", stop)
    assert main(["mine", "films"]) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_precision_is_an_option_of_export_alone(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for step in ("prepare", "fit", "evaluate"):
        with pytest.raises(SystemExit):
            main([step, str(recipe), "--precision", "int8"])
    assert main(["export", str(recipe), "--precision", "int8"]) == 1
    assert "run/model: no such model folder" in capsys.readouterr().err


def test_the_name_of_a_file_is_printed_even_if_it_is_not_utf8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pairs.tsv").write_text("How are you?\tFine.\nWho is it?\tMe.\n")
    (tmp_path / "caf\udce9.xz").write_bytes(b"no xz")
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="utf-8"))
    assert main(["new", str(tmp_path), "-o", str(tmp_path / "a.toml")]) == 0
    assert b"caf\\udce9.xz: cannot be read" in printed.getvalue()


@pytest.mark.parametrize("arguments", [[], ["cook", "a.toml"], ["prepare"]])
def test_a_wrong_command_shows_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "a.toml", "--devices", "two"], "--devices: must be a whole number, 1 or more"),
        (["mine", "films", "--scene-pause", "1s"], "--scene-pause: must be seconds, 0 or more"),
        (["mine", "films", "--scene-pause", "inf"], "--scene-pause: must be seconds, 0 or more"),
        (["align", "a", "b", "--min-score", "high"], "--min-score: must be 0 to 1. Received: high"),
        (["new", ""], "PATH: must not be empty"),
    ],
)
def test_a_wrong_argument_says_what_is_allowed(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("step", "default"), [("mine", "one turn; default: 0.25"), ("align", "0 to 1; default: 0.4")]
)
def test_help_shows_defaults(step: str, default: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([step, "--help"])
    assert default in " ".join(capsys.readouterr().out.split())
