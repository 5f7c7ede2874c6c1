from __future__ import annotations

import pytest

from training.files.records import Example, Fault
from training.readers.chats import ChatOptions, Message, exchanges_of_chat, without_names

HOUR = 3600.0


def chat(*messages: tuple[str, float, str], **options: object) -> list[Example | Fault]:
    found = [
        Message(name, name, hours * HOUR, text, line)
        for line, (name, hours, text) in enumerate(messages, start=1)
    ]
    return list(exchanges_of_chat(found, "a", ChatOptions(**options)))  # type: ignore[arg-type]


def test_messages_of_one_person_in_a_row_are_one_turn() -> None:
    found = chat(("A", 0, "hi"), ("A", 0.1, "there?"), ("B", 0.2, "yes"), ("A", 0.3, "good"))
    assert found == [
        Example(("hi there?",), "yes", "a:1", "a:3"),
        Example(("hi there?", "yes"), "good", "a:1", "a:4"),
    ]


def test_a_long_silence_ends_a_conversation() -> None:
    messages = (("A", 0.0, "hi"), ("B", 1.0, "yes"), ("A", 8.0, "new"), ("B", 9.0, "what?"))
    assert chat(*messages) == [
        Example(("hi",), "yes", "a:1", "a:2"),
        Example(("new",), "what?", "a:3", "a:4"),
    ]
    assert len(chat(*messages, pause_hours=10.0)) == 3


def test_nothing_answers_a_message_that_could_not_be_read() -> None:
    first, last = Message("A", "", 0, "hi", 1), Message("B", "", 0, "x", 3)
    fault = Fault("a:2", "no message")
    assert list(exchanges_of_chat([first, fault, last], "a", ChatOptions())) == [fault]


def test_names_are_kept_if_they_are_to_be() -> None:
    messages = (("Anna", 0.0, "hi @\u2068Ben\u2069"), ("Ben", 0.1, "hi Anna"))
    [hidden] = chat(*messages)
    [kept] = chat(*messages, keep_names=True)
    assert isinstance(hidden, Example)
    assert (hidden.source, hidden.target) == (("hi @name",), "hi @name")
    assert isinstance(kept, Example)
    assert (kept.source, kept.target) == (("hi @Ben",), "hi Anna")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Hi Anna!", "Hi @name!"),
        ("Anna's car, Annas Auto", "@name's car, @name Auto"),
        ("Anna Müller is here", "@name is here"),
        ("anna, Annabel", "anna, Annabel"),
        ("@anna and @BEN", "@name and @name"),
        ("ben or Ben", "@name or @name"),
        ("will you, Will?", "will you, @name?"),
        ("ask xX_dude99.", "ask @name."),
        ("小明你好", "@name你好"),
        ("प्रिया, @प्रिया कैसी हो?", "@name, @name कैसी हो?"),
        ("call @491711234567", "call @name"),
        ("@\u2068Carl\u2069 and @\u2068~Dora\u2069", "@name and @name"),
        ("mail@example.org", "mail@example.org"),
    ],
)
def test_names_of_those_who_talk_are_hidden(text: str, hidden: str) -> None:
    names = ["Anna Müller", "ben", "Will", "xX_dude99", "小明", "प्रिया", "+49 171 1234567", ""]
    assert without_names(names)(text) == hidden


def test_nobody_has_a_name() -> None:
    assert without_names([])("Hi Anna") == "Hi Anna"
