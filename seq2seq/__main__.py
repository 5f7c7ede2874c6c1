"""The command `seq2seq`: `seq2seq COMMAND ...` runs a command of `app`, `model` or `training`."""

from __future__ import annotations

import importlib
import sys
from typing import NamedTuple

import seq2seq


class Command(NamedTuple):
    """A command.

    Attributes:
        program: module that implements it: `python -m PROGRAM`.
        extra: extra of the package that installs its dependencies.
        meaning: description for `seq2seq --help`.
    """

    program: str
    extra: str
    meaning: str


COMMANDS = {
    "serve": Command("app", "serve", "serve models over HTTP"),
    "chat": Command("model", "serve", "chat in the terminal"),
    "reply": Command("model", "serve", "answer each line of standard input"),
    "translate": Command("model", "serve", "translate each line of standard input"),
    "remember": Command("model", "serve", "add translations to a model's translation memory"),
    "new": Command("training", "train", "inspect files and write a recipe that suits them"),
    "train": Command("training", "train", "train a model on files, in one go"),
    "prepare": Command("training", "train", "read, clean, split and tokenise a corpus"),
    "fit": Command("training", "train", "train a model on the prepared corpus"),
    "evaluate": Command("training", "train", "score the model"),
    "export": Command("training", "train", "add graphs that run faster on a CPU"),
    "distill": Command("training", "train", "write a student's targets with teacher models"),
    "backtranslate": Command("training", "train", "write sources for texts with a model"),
    "phrases": Command("training", "train", "write the phrases of a bilingual corpus"),
    "mine": Command("training", "train", "print the exchanges in subtitle files"),
    "align": Command("training", "train", "print the sentence pairs of two subtitle files"),
}

_USAGE = (
    "usage: seq2seq COMMAND ...\n\n"
    "Turns subtitles or sentence pairs into a reply or translation service.\n\n"
)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command that the first argument names. Returns the exit code."""
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if name in ("-h", "--help"):
        rows = (f"  {name:<14} {command.meaning}\n" for name, command in COMMANDS.items())
        print(f"{_USAGE}{''.join(rows)}\nRun `seq2seq COMMAND --help` for details.")
        return 0
    if name == "--version":
        print(f"seq2seq {seq2seq.__version__}")
        return 0
    if name not in COMMANDS:
        print(
            f"seq2seq: unknown command '{name}'; `seq2seq --help` lists all commands",
            file=sys.stderr,
        )
        return 2
    program, extra, _ = COMMANDS[name]
    given = rest if name == "serve" else [name, *rest]
    try:
        run = importlib.import_module(f"{program}.__main__").main
        return int(run(given, program="seq2seq serve" if name == "serve" else "seq2seq"))
    except ModuleNotFoundError as error:
        print(
            f"seq2seq {name}: needs the package '{error.name}'. "
            f"Run `pip install '.[{extra}]'` in the root of the repository.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:  # while the command is imported
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
