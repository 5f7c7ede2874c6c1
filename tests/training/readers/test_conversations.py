from __future__ import annotations

from pathlib import Path

import pytest

from training.files.records import Example, Fault
from training.readers.conversations import read_conversations
from training.readers.dialogue import MAX_CONTEXT_TURNS


def test_each_wording_of_a_message_gets_each_wording_of_its_reply(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("# Greetings\n\nhello | hi\n> Hello! | Hi there!\n")
    assert list(read_conversations(path)) == [
        Example(("hello",), "Hello!", f"{path}:3", f"{path}:4:1"),
        Example(("hello",), "Hi there!", f"{path}:3", f"{path}:4:2"),
        Example(("hi",), "Hello!", f"{path}:3", f"{path}:4:3"),
        Example(("hi",), "Hi there!", f"{path}:3", f"{path}:4:4"),
    ]


def test_earlier_turns_have_their_first_wording(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("hello | hi\n> Hello! | Hi!\n# Now it is their turn.\nhow are you\n> Fine.\n")
    *_, last = read_conversations(path)
    assert last == Example(("hello", "Hello!", "how are you"), "Fine.", f"{path}:1", f"{path}:5:1")


def test_an_empty_line_ends_a_conversation(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("hello\n> Hello!\n  \nbye\n> Bye!")
    assert list(read_conversations(path)) == [
        Example(("hello",), "Hello!", f"{path}:1", f"{path}:2:1"),
        Example(("bye",), "Bye!", f"{path}:4", f"{path}:5:1"),
    ]


def test_a_context_never_grows_beyond_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("".join(f"message {i}\n> Reply {i}.\n" for i in range(MAX_CONTEXT_TURNS)))
    *_, last = read_conversations(path)
    assert isinstance(last, Example)
    assert len(last.source) == MAX_CONTEXT_TURNS
    assert last.source[-2:] == (
        f"Reply {MAX_CONTEXT_TURNS - 2}.",
        f"message {MAX_CONTEXT_TURNS - 1}",
    )


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("> Hello!\n", 1, "a reply without a message above it"),
        ("hello\n> Hello!\n> Hi!\n", 3, "a reply without a message above it"),
        ("hello\nhi\n> Hi!\n", 1, "a message without a reply (`> ...`) below it"),
        ("hello\n> Hello!\nbye\n", 3, "a message without a reply (`> ...`) below it"),
        ("hello\n>\n", 2, "has an empty wording (`|` separates them)"),
        ("hello\n> Hello! |\n", 2, "has an empty wording (`|` separates them)"),
        ("\nhello | | hi\n> Hello!\n", 2, "has an empty wording (`|` separates them)"),
    ],
)
def test_a_fault_has_its_line(tmp_path: Path, text: str, line: int, reason: str) -> None:
    path = tmp_path / "talk.txt"
    path.write_text(text)
    faults = [each for each in read_conversations(path) if isinstance(each, Fault)]
    assert faults == [Fault(f"{path}:{line}", reason)]


def test_what_follows_a_fault_has_no_context(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("hello\n> Hello!\n> Hi!\nhow are you\n> Fine.\n")
    *_, last = read_conversations(path)
    assert last == Example(("how are you",), "Fine.", f"{path}:1", f"{path}:5:1")
