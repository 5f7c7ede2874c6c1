from __future__ import annotations

from pathlib import Path

from training.files.records import Example, Fault
from training.readers.dialogue import (
    MAX_CONTEXT_TURNS,
    MAX_CONVERSATION_TURNS,
    exchanges_of,
    read_exchanges,
    read_transcript,
    read_turn_lines,
)


def test_each_turn_but_the_first_answers_all_before_it() -> None:
    turns = [(1, "hi"), (2, "hello"), (3, "how are you?")]
    assert list(exchanges_of(turns, group="talk", origin="file:7")) == [
        Example(("hi",), "hello", "talk", "file:7:2"),
        Example(("hi", "hello"), "how are you?", "talk", "file:7:3"),
    ]


def test_a_context_never_grows_beyond_its_limit() -> None:
    turns = [(i, f"turn {i}") for i in range(40)]
    longest = [len(example.source) for example in exchanges_of(turns, group="", origin="")]
    assert max(longest) == MAX_CONTEXT_TURNS
    *_, last = exchanges_of(turns, group="", origin="")
    assert last.source[-1] == "turn 38"
    assert last.source[0] == "turn 23"


def test_an_exchange_is_a_message_and_a_reply(tmp_path: Path) -> None:
    path = tmp_path / "talk.tsv"
    path.write_text("hi\thello\t\t\n\nnothing here\nbye\tsee you\tsoon\r\n")
    assert list(read_exchanges(path)) == [
        Example(("hi",), "hello", "hi", f"{path}:1"),
        Fault(f"{path}:3", "expected message TAB reply"),
        Example(("bye", "see you"), "soon", "bye", f"{path}:4"),
    ]


def test_an_empty_line_ends_a_conversation(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("hi\nhello\n\n\nbye\nsee you\nsoon")
    assert list(read_turn_lines(path)) == [
        Example(("hi",), "hello", f"{path}:1", f"{path}:2"),
        Example(("bye",), "see you", f"{path}:5", f"{path}:6"),
        Example(("bye", "see you"), "soon", f"{path}:5", f"{path}:7"),
    ]


def test_a_line_may_have_a_whole_conversation(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("hi __eou__ hello . __eou__\n\nbye __eou__ see you __eou__ soon __eou__\n")
    assert [*read_turn_lines(path)] == [
        Example(("hi ",), " hello . ", f"{path}:1", f"{path}:1"),
        Example(("bye ",), " see you ", f"{path}:3", f"{path}:3"),
        Example(("bye ", " see you "), " soon ", f"{path}:3", f"{path}:3"),
    ]


def test_a_file_without_empty_lines_is_cut_so_that_it_can_be_split(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("".join(f"turn {i}\n" for i in range(2 * MAX_CONVERSATION_TURNS + 1)))
    groups = {example.group for example in read_turn_lines(path) if isinstance(example, Example)}
    assert groups == {f"{path}:1", f"{path}:{MAX_CONVERSATION_TURNS + 1}"}


def test_a_transcript_has_the_turns_of_its_speakers(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text(
        "Anna: Who is there?\nDr. Ben : It is me.\nDr. Ben : Ben.\nIs it late?\n"
        "Anna: Remember: eight\no'clock.\nhttps://a.example\nhttps://b.example\n"
        "\nAnna:\nGood morning.\nDr. Ben: Morning!\n"
    )
    found = [each for each in read_transcript(path) if isinstance(each, Example)]
    late = "Remember: eight o'clock. https://a.example https://b.example"
    assert [(each.source, each.target) for each in found] == [
        (("Who is there?",), "It is me. Ben. Is it late?"),
        (("Who is there?", "It is me. Ben. Is it late?"), late),
        (("Good morning.",), "Morning!"),
    ]
    assert found[0].origin == f"{path}:2"


def test_each_name_of_a_short_transcript_is_a_speaker(tmp_path: Path) -> None:
    path = tmp_path / "call.txt"
    path.write_text("Agent: Hello?\nAnna: Who is there?\n\nAgent: Me.\n")
    assert [*read_transcript(path)] == [
        Example(("Hello?",), "Who is there?", f"{path}:1", f"{path}:2")
    ]


def test_a_transcript_of_single_lines_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("Anna: Who?\n\nBen: Me.\n\nAnna: You?\n\nBen: Yes.\n")
    assert any(isinstance(each, Fault) for each in read_transcript(path))
