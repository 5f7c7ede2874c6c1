from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.files.records import Example, Fault
from training.readers.chats import ChatOptions
from training.readers.slack import read_slack

KEEP = ChatOptions(keep_names=True)
PEOPLE = [
    {"id": "U1", "name": "anna", "profile": {"real_name": "Anna Ash", "display_name": "Annie"}},
    {"id": "U2", "name": "ben", "real_name": "Ben"},
    {"id": "U3", "name": "carl", "profile": None},
]


def message(who: int, text: Any, minute: int = 0, **more: Any) -> dict[str, Any]:
    ts = f"{1609445700 + 60 * minute}.000100"
    return {"type": "message", "user": f"U{who}", "text": text, "ts": ts, **more}


def read(
    folder: Path, *messages: Any, options: ChatOptions = KEEP, people: Any = PEOPLE
) -> list[Example | Fault]:
    """Reads a day of a channel in an export."""
    for name, content in (("users", people), ("channels", []), ("general/1", messages)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"{name}.json").write_text(json.dumps(content, indent=1))
    return list(read_slack(folder / "general/1.json", options))


def exchanges(found: list[Example | Fault]) -> list[tuple[tuple[str, ...], str]]:
    return [(each.source, each.target) for each in found if isinstance(each, Example)]


def test_a_thread_is_a_conversation_after_its_channel(tmp_path: Path) -> None:
    start = message(1, "lunch?")
    reply = message(2, "yes", 2, thread_ts=start["ts"])
    found = read(tmp_path, {**start, "thread_ts": start["ts"]}, message(2, "news", 1), reply)
    assert exchanges(found) == [(("lunch?",), "news"), (("lunch?",), "yes")]


@pytest.mark.parametrize(
    "other",
    [
        message(2, "<@U2> has joined the channel", subtype="channel_join"),
        message(2, "pushed", subtype="bot_message"),
        message(2, "beep", bot_id="B1"),
        message(2, "Reminder: lunch.", user="USLACKBOT"),
        message(2, "", files=[{"name": "a.png"}]),
    ],
)
def test_what_nobody_wrote_is_left_out(tmp_path: Path, other: dict[str, Any]) -> None:
    found = read(tmp_path, message(1, "hi"), other, message(1, "there?"), message(2, "yes"))
    assert exchanges(found) == [(("hi there?",), "yes")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see <https://x.org/a|the page>, <https://x.org>", "see the page, https://x.org"),
        ("write to <mailto:a@x.org|a@x.org> in <#C1|general>", "write to a@x.org in #general"),
        ("<!here> <!subteam^S1|@team> <#C1|>, hi", "@here @team , hi"),
        ("1 &lt; 2 &amp;amp; a < b", "1 < 2 &amp; a < b"),
        ("<@U2>, <@U9|zoe>, <@U8>", "@Ben, @zoe, @U8"),
    ],
)
def test_links_are_read_as_they_are_shown(tmp_path: Path, text: str, shown: str) -> None:
    assert exchanges(read(tmp_path, message(1, text), message(2, "ok"))) == [((shown,), "ok")]


def test_mentions_and_all_names_of_a_sender_are_hidden(tmp_path: Path) -> None:
    messages = (message(1, "<@U3>, I am Annie"), message(2, "Hi Anna, not Carl"))
    [example] = exchanges(read(tmp_path, *messages, options=ChatOptions()))
    assert example == (("@name, I am @name",), "Hi @name, not Carl")


def test_a_message_names_its_sender_if_no_list_does(tmp_path: Path) -> None:
    messages = (message(1, "hi", user_profile={"real_name": "Anna"}), message(2, "Hi Anna"))
    found = read(tmp_path, *messages, options=ChatOptions(), people=[])
    assert exchanges(found) == [(("hi",), "Hi @name")]


@pytest.mark.parametrize("name", ["users.json", "integration_logs.json", "dms.json"])
def test_lists_beside_the_channels_have_no_messages(tmp_path: Path, name: str) -> None:
    read(tmp_path)
    (tmp_path / "channels.json").rename(tmp_path / "dms.json")
    assert list(read_slack(tmp_path / name, KEEP)) == []


@pytest.mark.parametrize(
    "other",
    [
        5,
        {},
        message(2, None),
        message(2, "x", user=None),
        message(2, "x", thread_ts="1.1", ts="soon"),
        {"type": "message", "user": "U1", "text": "x", "thread_ts": "1.1"},
    ],
)
def test_a_message_of_another_shape_is_a_fault_with_its_line(tmp_path: Path, other: Any) -> None:
    faults = [each for each in read(tmp_path, other, message(1, "a")) if isinstance(each, Fault)]
    assert [each.origin for each in faults] == [f"{tmp_path / 'general/1.json'}:2"]
