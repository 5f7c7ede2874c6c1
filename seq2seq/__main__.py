"""The command `seq2seq`: `seq2seq COMMAND ...` runs a command of `app`, `model` or `training`."""

from __future__ import annotations

import importlib
import sys
from typing import NamedTuple

import seq2seq


class Command(NamedTuple):
    """Where a command is.

    Attributes:
        program: `python -m PROGRAM` runs it too.
        extra: of the package, which installs what it needs.
        meaning: for `seq2seq --help`.
    """

    program: str
    extra: str
    meaning: str


COMMANDS = {
    "serve": Command("app", "serve", "answers requests over HTTP"),
    "chat": Command("model", "serve", "talks with you in the terminal"),
    "reply": Command("model", "serve", "answers each line of standard input"),
    "translate": Command("model", "serve", "translates each line of standard input"),
    "new": Command("training", "train", "looks at files and writes a recipe that fits them"),
    "train": Command("training", "train", "makes a model of files, in one go"),
    "prepare": Command("training", "train", "makes a corpus of files, by a recipe"),
    "fit": Command("training", "train", "trains a model on it"),
    "evaluate": Command("training", "train", "scores the model"),
    "export": Command("training", "train", "writes graphs, which a CPU runs faster"),
    "distill": Command("training", "train", "writes a student's targets by its teachers"),
    "backtranslate": Command("training", "train", "writes sources for texts by a model"),
    "mine": Command("training", "train", "prints the exchanges of subtitle files"),
    "align": Command("training", "train", "prints the pairs of two subtitle files of one film"),
}

_USAGE = "usage: seq2seq COMMAND ...\n\nTurns subtitles or sentence pairs into a service.\n\n"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command that the first argument names. Returns the exit code."""
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        rows = (f"  {name:<14} {command.meaning}\n" for name, command in COMMANDS.items())
        print(f"{_USAGE}{''.join(rows)}\n`seq2seq COMMAND --help` says more of one.")
        return 0
    if name == "--version":
        print(f"seq2seq {seq2seq.__version__}")
        return 0
    if name not in COMMANDS:
        print(
            f"seq2seq: there is no command '{name}'; `seq2seq --help` lists them", file=sys.stderr
        )
        return 2
    program, extra, _ = COMMANDS[name]
    given = rest if name == "serve" else [name, *rest]
    try:
        run = importlib.import_module(f"{program}.__main__").main
        return int(run(given, program="seq2seq serve" if name == "serve" else "seq2seq"))
    except ModuleNotFoundError as error:
        print(
            f"seq2seq {name}: needs the package '{error.name}': pip install 'seq2seq[{extra}]'",
            file=sys.stderr,
        )
        return 1


if __name__ == "__main__":
    sys.exit(main())
