from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.errors import CorpusError
from training.files.records import Example, Fault
from training.new.detect import detect
from training.readers.chats import ChatOptions
from training.readers.messenger import read_messenger

KEEP = ChatOptions(keep_names=True)


def garbled(text: str) -> str:
    """Returns a text as exports of accounts have it."""
    return text.encode().decode("latin-1")


def message(who: str, seconds: int, text: str, **more: Any) -> dict[str, Any]:
    milliseconds = 1609445703000 + 1000 * seconds
    names = {"sender_name": garbled(who), "timestamp_ms": milliseconds, "content": garbled(text)}
    return {**names, "is_geoblocked_for_viewer": False, **more}


def read(path: Path, *newest_first: Any, options: ChatOptions = KEEP) -> list[Example | Fault]:
    document = {"participants": [{"name": "Zoë"}, {"name": "Ben"}], "messages": newest_first}
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return list(read_messenger(path, options))


def test_messages_are_read_from_the_last_to_the_first(tmp_path: Path) -> None:
    path = tmp_path / "message_1.json"
    found = read(
        path,
        message("Zoë", 90, "Schön 😀"),
        message("Ben", 61, "Zoë?"),
        message("Ben", 60, "Grüß dich!"),
        message("Zoë", 0, "Hallo"),
    )
    examples = [each for each in found if isinstance(each, Example)]
    assert [(each.source, each.target) for each in examples] == [
        (("Hallo",), "Grüß dich! Zoë?"),
        (("Hallo", "Grüß dich! Zoë?"), "Schön 😀"),
    ]
    assert len(found) == 2
    assert getattr(detect(path), "format", "") == "messenger"


def test_messages_in_order_are_read_in_order(tmp_path: Path) -> None:
    [example] = read(
        tmp_path / "a.json", message("Zoë", 0, "She sent a photo."), message("Ben", 9, "Oh")
    )
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("She sent a photo.",), "Oh")


def test_names_are_hidden(tmp_path: Path) -> None:
    newest_first = message("Zoë", 9, "Ja, Ben."), message("Ben", 0, "Zoë?")
    [example] = read(tmp_path / "a.json", *newest_first, options=ChatOptions())
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("@name?",), "Ja, @name.")


@pytest.mark.parametrize(
    "other",
    [
        message("Ben", 5, "Ben called you.", type="Call", call_duration=0),
        message("Ben", 5, "Reacted ❤️ to your message "),
        message("Ben", 5, "Ben sent an attachment."),
        message("Ben", 5, "Liked a message"),
        message("Ben", 5, "Ben set the emoji to 👍."),
        message("Ben", 5, "You started a video chat."),
        message("Ben", 5, "This poll is no longer available."),
        message("Ben", 5, "oops", is_unsent=True),
        {"sender_name": "Ben", "timestamp_ms": 1609445705000, "photos": [{"uri": "a.jpg"}]},
    ],
)
def test_what_nobody_wrote_is_left_out(tmp_path: Path, other: dict[str, Any]) -> None:
    found = read(
        tmp_path / "a.json",
        message("Ben", 20, "yes"),
        message("Zoë", 10, "there?"),
        other,
        message("Zoë", 0, "hi"),
    )
    [example] = found
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("hi there?",), "yes")


def test_an_encrypted_chat_has_other_names_of_fields(tmp_path: Path) -> None:
    path = tmp_path / "Ben_1.json"
    messages = [
        {"senderName": name, "text": text, "timestamp": time, "type": "text", "isUnsent": False}
        for name, text, time in (("Ben", "Gut, über 20 €", 1700000009000), ("Zoë", "Wie?", 170))
    ]
    path.write_text(json.dumps({"participants": ["Zoë", "Ben"], "messages": messages}), "utf-8")
    found = list(read_messenger(path, ChatOptions(pause_hours=1e6)))
    assert [each.target for each in found if isinstance(each, Example)] == ["Gut, über 20 €"]
    assert getattr(detect(path), "format", "") == "messenger"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (5, "expected a record"),
        ({"content": "a", "timestamp_ms": 1}, "has no sender"),
        ({"sender_name": "Ben", "content": "a"}, "has no time"),
    ],
)
def test_a_damaged_message_ends_a_conversation(tmp_path: Path, record: Any, reason: str) -> None:
    found = read(
        tmp_path / "a.json",
        message("Ben", 30, "d"),
        message("Zoë", 20, "c"),
        record,
        message("Ben", 10, "b"),
        message("Zoë", 0, "a"),
    )
    assert [each.target for each in found if isinstance(each, Example)] == ["b", "d"]
    [fault] = [each for each in found if isinstance(each, Fault)]
    assert reason in fault.reason


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(CorpusError, match="not an export of Messenger"):
        list(read_messenger(tmp_path / "a.json", KEEP))
