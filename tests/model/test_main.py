from __future__ import annotations

import io
import os
import pty
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from select import select

import pytest

from model import __main__ as command
from model.folder import find_folder
from model.generator import Generator
from tests.conftest import PATIENCE_SECONDS, wait_until

LINES = ["hello there", "", "my name is robin", " \t ", "what is your name?\ti like films", "\x00"]


def run_in_shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, shell=True, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )


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


def test_a_line_that_is_longer_than_what_the_model_reads_is_told(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "WINDOW", 2)
    text = "hello\nhello\n" + "my name is robin " * 200 + "\nhello\n"
    assert run(monkeypatch, text, "reply", str(exported_folder), "--max-tokens", "4") == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 4
    assert "warning: 1 lines are too long; the first is line 3." in printed.err


def test_words_can_be_required(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = ("--beam-size", "8", "--required-word", "robin", "--required-word", "films")
    assert run(monkeypatch, "hello\nwho\n", "reply", str(exported_folder), *wishes) == 0
    for answer in capsys.readouterr().out.splitlines():
        assert "robin" in answer
        assert "films" in answer


def test_bytes_that_are_no_text_are_answered_and_told(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "hello\nhello \udcff\n", "reply", str(exported_folder)) == 0
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert "1 lines contain bytes that are not UTF-8 text; the first is line 2." in printed.err


@pytest.mark.parametrize("name", ["reply", "chat"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_tells_the_encoding(
    exported_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    encoding: str,
) -> None:
    printed = []
    for content in (b"hello\r\nwho\r\n", "\ufeffhello\r\nwho\r\n".encode(encoding)):
        stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(content)))
        monkeypatch.setattr("sys.stdin", stream)
        assert command.main([name, str(exported_folder), "--max-tokens", "9"]) == 0
        printed.append(capsys.readouterr())
    assert printed[0] == printed[1]


@pytest.mark.parametrize(
    ("redirection", "error"),
    [
        (">/dev/full", "error: standard output: No space left on device."),
        ("<&-", "error: standard input or output is closed"),
        (">&-", "error: standard input or output is closed"),
    ],
)
def test_streams_that_do_not_work_are_told(
    exported_folder: Path, redirection: str, error: str
) -> None:
    command = shlex.join([sys.executable, "-m", "model", "reply", str(exported_folder)])
    done = run_in_shell(f"echo hello | {command} {redirection}")
    assert done.returncode == 1
    assert done.stderr.startswith(error) and done.stderr.count("\n") == 1


def test_output_is_utf8_whatever_the_terminal_says(exported_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "model", "reply", str(exported_folder), "--prefix", "how"],
        input=b"hello",
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-16"},
        timeout=PATIENCE_SECONDS,
    )
    assert done.stdout.decode("utf-8").startswith("how")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["translate"], "this model's task is 'reply', not 'translate'"),
        (["remember"], "this model's task is 'reply', not 'translate'"),
        (["reply", "--decoding", "greedy", "--required-word", "fine"], "words need a beam"),
        (["reply", "--required-word", " "], "required word ' ' has no text"),
        (["reply", "--blocked-word", " "], "blocked word ' ' has no text"),
        (["reply", "--decoding", "greedy", "--beam-size", "2"], "--beam-size: must be at most 1"),
        (["reply", "--min-tokens", "9", "--max-tokens", "3"], "--min-tokens: must be at most 3"),
        (["chat", "--rerank-weight", "1"], "--rerank-weight: needs a second model, and a beam"),
        (["chat", "--engine", "onnx-int8"], "no int8 graphs"),
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
    assert len(found.err.splitlines()) == 1
    assert not found.out


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (["--batch-size", "0"], "argument --batch-size: must be a whole number, 1 or more"),
        (["--batch-size", "many"], "--batch-size: must be a whole number, 1 or more. Received: m"),
        (["--beam-size", "0"], "argument --beam-size: Input should be greater than or equal to 1"),
        (["--top-p", "much"], "argument --top-p: Input should be a valid number"),
        (["--decoding", "best"], "Input should be 'greedy', 'beam' or 'sample'"),
        (["--tempreture", "1"], "unrecognized arguments: --tempreture"),
    ],
)
def test_a_wrong_flag_is_one_line(
    capsys: pytest.CaptureFixture[str], flag: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["reply", "anywhere", *flag])
    (line,) = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2
    assert line.startswith("error: ") and message in line


def test_a_model_keeps_the_translations_that_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(shutil.copytree(find_folder("models/en-de"), tmp_path / "model"))
    before = len(Generator.load(model).translation_memory or ())

    def remember(pairs: str) -> str:
        assert run(monkeypatch, pairs, "remember", model) == 0
        return capsys.readouterr().out

    assert f"keeps {before + 2:,} translations" in remember("frobnicate\tFRB\n\n\ufefffoo\tbar\r\n")
    assert run(monkeypatch, "Frobnicate! Foo?\n", "translate", model) == 0
    assert capsys.readouterr().out == "FRB! Bar?\n"
    assert f"keeps {before + 1:,} translations" in remember("foo\t\nfrobnicate\tfrob")
    assert run(monkeypatch, "Frobnicate\n", "translate", model) == 0
    assert capsys.readouterr().out == "Frob\n"


def test_candidates_of_a_line_are_parted_by_tabs(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--decoding", "beam", "--n-best", "3", "--prefix", "my name", "--no-shortlist")
    assert run(monkeypatch, "hello\n\nwho\n", "reply", str(exported_folder), *flags) == 0
    first, empty, second = capsys.readouterr().out.splitlines()
    assert empty == ""
    for line in (first, second):
        assert len(set(line.split("\t"))) == 3
        assert all(text.startswith("my name") for text in line.split("\t"))


def test_a_conversation_remembers_its_turns_until_a_new_one(
    exported_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ["hello there", "what is your name?", "", "/new", "what is your name?"]
    flags = ("--max-tokens", "8")
    assert run(monkeypatch, "\n".join(lines), "chat", str(exported_folder), *flags) == 0
    generator = Generator.load(exported_folder)
    options = generator.config.search.model_copy(update={"max_tokens": 8})

    def answer(*turns: str) -> str:
        return generator.generate([turns], options)[0][0].text

    first = answer(lines[0])
    expected = [first, answer(lines[0], first, lines[1]), "", "", answer(lines[1])]
    assert expected[1] != expected[4]
    assert capsys.readouterr().out.split("\n") == [*expected, ""]


def test_a_conversation_goes_on_line_by_line_over_pipes(exported_folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "model", "chat", str(exported_folder), "--max-tokens", "8"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        for message in ("hello there", "what is your name?"):
            process.stdin.write(f"{message}\n")
            process.stdin.flush()
            assert process.stdout.readline().strip()
        process.stdin.close()
        assert process.stdout.read() == ""
    assert process.returncode == 0


class Terminal:
    """A terminal in which `python -m model` runs, for as long as a `with` lasts."""

    def __init__(self, *arguments: str) -> None:
        self._screen, inside = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "model", *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**os.environ, "TERM": "dumb"},
        )
        os.close(inside)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)
        os.close(self._screen)

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def shows(self, end: str) -> str:
        """Waits until `end` is seen. Returns what is seen since the last time."""
        seen = ""
        while not seen.endswith(end):
            more = self._read()
            assert more, f"it ended after {seen!r}"
            seen += more
        return seen

    def rest(self) -> str:
        """Returns what is seen until the program ends."""
        seen = "".join(iter(self._read, ""))
        self.process.wait(PATIENCE_SECONDS)
        return seen

    def _read(self) -> str:
        """Returns one character; none if nobody writes any more."""
        assert select([self._screen], [], [], PATIENCE_SECONDS)[0], "nothing more was written"
        with suppress(OSError):  # Linux tells so that the other end is closed
            character = os.read(self._screen, 1).decode("utf-8", "replace")
            return self._read() if character == "\r" else character
        return ""


PROMPT = "\nyou        "


def test_a_conversation_in_a_terminal_prompts_until_its_end(exported_folder: Path) -> None:
    with Terminal("chat", str(exported_folder), "--max-tokens", "8", "--prefix", "my") as terminal:
        assert "/new" in terminal.shows(PROMPT)
        for line in ("hello\n", "what is your name?\n"):
            terminal.type(line)
            assert f"{line}untrained  my" in terminal.shows(PROMPT)
        for line in ("\n", "/new\n"):
            terminal.type(line)
            assert "untrained" not in terminal.shows(PROMPT)
        terminal.type("\x04")
        assert terminal.rest().strip() == ""
        assert terminal.process.returncode == 0


def test_an_interrupt_is_quiet(exported_folder: Path) -> None:
    with Terminal("chat", str(exported_folder)) as terminal:
        terminal.shows(PROMPT)
        terminal.process.send_signal(signal.SIGINT)

        # `input` may have begun to wait for a line before it looked, and may drop what comes early
        def has_ended() -> bool:
            terminal.type("\n")
            return terminal.process.poll() is not None

        wait_until(has_ended, pause_seconds=0.5)
        assert terminal.rest().strip() == ""
        assert terminal.process.returncode == 130


def test_each_line_that_is_typed_is_answered_at_once(exported_folder: Path) -> None:
    with Terminal("reply", str(exported_folder), "--max-tokens", "8", "--prefix", "my") as terminal:
        for _ in range(2):
            terminal.type("hello there\n")
            terminal.shows("hello there\n")  # the terminal's echo
            assert terminal.shows("\n").startswith("my")
        terminal.type("\x04")
        assert terminal.rest() == ""
        assert terminal.process.returncode == 0


def test_a_conversation_loads_no_framework(exported_folder: Path) -> None:
    code = (
        "import sys; from model.__main__ import main; "
        f"assert main(['chat', {str(exported_folder)!r}, '--decoding', 'beam']) == 0; "
        "print([f for f in ('keras', 'tensorflow', 'jax', 'torch') if f in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input="hello\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_has_enough_is_no_error(exported_folder: Path) -> None:
    command = shlex.join([sys.executable, "-m", "model", "reply", str(exported_folder)])
    process = run_in_shell(f"yes hello | head -20000 | {command} | head -1")
    assert process.stdout.count("\n") == 1
    assert "Error" not in process.stderr
