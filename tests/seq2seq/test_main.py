from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path

import pytest

import seq2seq
from seq2seq.__main__ import COMMANDS, main


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: seq2seq {name} ")


def test_a_command_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert "unknown command 'trian'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--port", "9000"], ["models/films"]])
def test_an_option_of_the_server_is_an_environment_variable(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["serve", *arguments])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"unrecognized arguments: {' '.join(arguments)}. Settings are environment" in line


def test_a_command_says_which_extra_it_needs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "training.__main__", raising=False)
    monkeypatch.setitem(sys.modules, "training.recipe_file", None)
    assert main(["fit", "a.toml"]) == 1
    assert "Run `pip install '.[train]'` in the root" in capsys.readouterr().err


def test_an_interrupt_while_a_command_is_imported_is_one_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", stop)
    assert main(["train", "a.tsv"]) == 130
    assert capsys.readouterr().err == "stopped\n"


def test_replies_with_the_default_model_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello\n")))
    assert main(["reply", "models/default"]) == 0
    assert capsys.readouterr().out.strip()


def test_public_names_are_those_of_the_model() -> None:
    assert seq2seq.Generator.__name__ in dir(seq2seq)
    with pytest.raises(AttributeError, match="Sequel"):
        _ = seq2seq.Sequel
