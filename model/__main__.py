"""Chats, replies and translates without a server.

    python -m model chat MODEL                          a conversation, reply by reply
    python -m model reply MODEL < messages > replies    one line in, one line out
    python -m model translate MODEL < in > out
    python -m model remember MODEL < pairs              sentence TAB translation, kept in the model

A line of `reply` may contain several turns of a dialogue, separated by tabs, oldest first. A line
of `translate` is translated sentence by sentence. A line without text gets an empty answer, so that
every line has one; with --n-best, tabs separate the candidates. Memory does not grow with the file.
A line of `remember` whose translation is empty removes that of its sentence.
In a conversation, the line /new starts a new one, and Ctrl-D ends it.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TextIO, get_args

from model.chat import Conversation, chat
from model.config import SearchOptions
from model.engine import EngineName
from model.errors import ConfigError, Seq2SeqError
from model.flags import OneLineParser, add_flags, count, given
from model.folder import find_folder, read_config
from model.generator import Generator
from model.lines import WINDOW, answer_lines, translate_lines
from model.remember import remember
from model.search.options import OptionError, RequestOptions, choose_options
from model.search.requests import SearchRequest
from model.text.encodings import encoding_of_mark

#: The weight of a second model if neither the caller nor the first model sets one.
RERANK_WEIGHT = 0.5

#: Task and description of each command.
COMMANDS = {
    "chat": ("reply", "chat in the terminal: each line is a message"),
    "reply": ("reply", "answer each line of standard input"),
    "translate": ("translate", "translate each line of standard input"),
    "remember": (
        "translate",
        "add translations to a model: each line of standard input is a sentence, a tab and its "
        "translation; an empty translation removes the sentence",
    ),
}


def main(arguments: list[str] | None = None, program: str = "python -m model") -> int:
    """Answers standard input. Returns the exit code."""
    chosen = _parse(arguments, program)
    try:
        for stream in (sys.stdin, sys.stdout):
            if stream is None:
                raise ConfigError("standard input or output is closed; open both")
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(encoding="utf-8", errors="replace")
        task = COMMANDS[chosen.command][0]
        if chosen.command == "remember":
            _check_task(read_config(find_folder(chosen.model)).task, task, chosen.model)
            _read_by_mark(sys.stdin)
            print(remember(chosen.model, sys.stdin))
            return 0
        generator = Generator.load(chosen.model, chosen.engine, rerank_model=chosen.rerank_model)
        _check_task(generator.config.task, task, chosen.model)
        template = _template(generator, chosen)
        _read_by_mark(sys.stdin)
        if chosen.command == "chat":
            _converse(generator, template)
        else:
            whole = task == "reply" or chosen.whole_lines or template.options.n_best > 1
            whole = whole or bool(template.prefix_ids or template.required)
            _answer_all(generator, template, chosen.batch_size, whole_lines=whole)
        sys.stdout.flush()
    except Seq2SeqError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader has stopped, as `head` does
        _discard_output()
    except OSError as error:
        print(f"error: standard output: {error.strerror}. Write it elsewhere.", file=sys.stderr)
        _discard_output()
        return 1
    except KeyboardInterrupt:
        if sys.stdin.isatty():
            print(file=sys.stderr)  # the shell's prompt begins a line
        return 130
    return 0


def _check_task(found: str, wanted: str, model: str) -> None:
    if found != wanted:
        raise ConfigError(f"{model}: this model's task is '{found}', not '{wanted}'")


def _read_by_mark(stream: TextIO) -> None:
    """Reads a file that begins with a byte-order mark in its encoding, without the mark. A terminal
    sends none."""
    if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
        reader = stream.buffer
        if isinstance(reader, io.BufferedReader) and (found := encoding_of_mark(reader.peek(4))):
            mark, encoding = found
            reader.read(len(mark))
            stream.reconfigure(encoding=encoding, errors="replace")


def _discard_output() -> None:
    """Discards the buffer of standard output, which Python would try to write at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _answer_all(
    generator: Generator, template: SearchRequest, batch_size: int, *, whole_lines: bool
) -> None:
    """Answers all lines of standard input."""
    from tqdm import tqdm  # not needed to start a conversation

    is_typed = sys.stdin.isatty()  # somebody waits for the answer to each line
    damaged: list[int] = []
    lines = _read_lines(sys.stdin, damaged)
    watched = tqdm(lines, unit=" lines", mininterval=1.0, disable=True if is_typed else None)
    window = 1 if is_typed else WINDOW
    truncated: list[int] = []
    answer = answer_lines if whole_lines else translate_lines
    for text in answer(
        generator, watched, template, batch_size=batch_size, window=window, truncated=truncated
    ):
        print(text, flush=is_typed)
    if truncated:
        longest = generator.config.text.max_source_tokens
        print(
            f"warning: {len(truncated):,} lines are too long; the first is line {truncated[0]:,}. "
            f"Their beginnings were not read: this model reads {longest} tokens. Split them.",
            file=sys.stderr,
        )
    if damaged:
        print(
            f"warning: {len(damaged):,} lines contain bytes that are not UTF-8 text; the first is "
            f"line {damaged[0]:,}. Convert the file: iconv -f cp1252 -t utf-8",
            file=sys.stderr,
        )


def _read_lines(stream: TextIO, damaged: list[int]) -> Iterator[str]:
    """Yields lines without their ends. `damaged` receives the numbers, from 1, of lines with bytes
    that are not text, which the stream replaces."""
    for number, line in enumerate(stream, 1):
        if "\ufffd" in line:
            damaged.append(number)
        yield line.rstrip("\r\n")


def _converse(generator: Generator, template: SearchRequest) -> None:
    conversation = Conversation(generator, template)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        chat(conversation, (line.rstrip("\r\n") for line in sys.stdin), _write)
        return
    name = generator.config.name
    width = max(len("you"), len(name)) + 2
    print("/new begins a new conversation, Ctrl-D ends it.\n")
    lines = _typed_lines("you".ljust(width))
    chat(conversation, lines, _write, label=name.ljust(width), separator="\n" + " " * width)


def _typed_lines(prompt: str) -> Iterator[str]:
    """Yields the lines that the user types, without empty ones."""
    with suppress(ImportError):
        import readline  # noqa: F401  gives `input` line editing and a history
    while True:
        try:
            line = input(prompt)
        except EOFError:
            print()
            return
        if line.strip():
            yield line


def _write(text: str) -> None:
    print(text, end="", flush=True)


def _template(generator: Generator, chosen: argparse.Namespace) -> SearchRequest:
    """Builds the request template from the flags."""
    defaults = generator.config.search
    overrides = {"n_best": 1, **given(chosen, SearchOptions)}
    request = RequestOptions(**given(chosen, RequestOptions))
    if chosen.rerank_model and not defaults.rerank_weight:
        overrides.setdefault("rerank_weight", RERANK_WEIGHT)
    try:
        options = choose_options(
            defaults,
            overrides,
            decoding=request.decoding,
            has_required_words=bool(request.required_words),
            can_rerank=generator.rerank_generator is not None,
            has_questions=generator.questions is not None,
        )
    except OptionError as error:
        raise ConfigError(f"--{error.field.replace('_', '-')}: {error.reason}") from None
    return generator.template(
        options,
        prefix=request.prefix,
        required_words=request.required_words,
    )


def _parse(arguments: list[str] | None, program: str) -> argparse.Namespace:
    parser = OneLineParser(
        prog=program,
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (_, meaning) in COMMANDS.items():
        command = commands.add_parser(name, help=meaning, description=meaning)
        command.add_argument("model", metavar="MODEL", help="model folder")
        if name == "remember":
            continue
        command.add_argument(
            "--engine",
            choices=get_args(EngineName),
            default="auto",
            help="default: the fastest one available",
        )
        command.add_argument(
            "--rerank-model",
            metavar="MODEL",
            help="folder of a second model that re-ranks the beam",
        )
        if name != "chat":
            command.add_argument(
                "--batch-size",
                type=count,
                default=64,
                metavar="N",
                help="number of sources in search at a time",
            )
        if name == "translate":
            command.add_argument(
                "--whole-lines",
                action="store_true",
                help="translate each line in one piece, not sentence by sentence, for models that "
                "were trained on longer texts; implied by --n-best, --prefix and --required-word",
            )
        add_flags(command, RequestOptions, SearchOptions)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
