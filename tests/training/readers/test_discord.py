from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.errors import CorpusError
from training.files.records import Example, Fault
from training.readers.chats import ChatOptions
from training.readers.discord import read_discord

KEEP = ChatOptions(keep_names=True)
HEAD = "AuthorID,Author,Date,Content,Attachments,Reactions"


def read_csv(path: Path, *lines: str, options: ChatOptions = KEEP) -> list[Example | Fault]:
    path.write_text("\ufeff" + "\n".join((HEAD, *lines)) + "\n", encoding="utf-8")
    return list(read_discord(path, options))


def message(who: int, text: Any, **more: Any) -> dict[str, Any]:
    names = {1: "anna", 2: "ben"}
    return {
        "id": "9",
        "type": "Default",
        "timestamp": "2020-12-31T21:15:03.123+00:00",
        "content": text,
        "author": {"id": str(who), "name": names[who], "nickname": None, "isBot": False},
        "mentions": [],
        **more,
    }


def read_json(path: Path, *messages: Any, options: ChatOptions = KEEP) -> list[Example | Fault]:
    path.write_text(json.dumps({"guild": {}, "messages": messages}, indent=2))
    return list(read_discord(path, options))


@pytest.mark.parametrize(
    "date",
    [
        "2020-12-31T21:15:03.1230000+00:00",
        "31-Dec-20 09:15 PM",
        "12/31/2020 9:15 PM",
        "31.12.2020 21:15",
    ],
)
def test_dates_are_in_the_style_of_the_version_and_region(tmp_path: Path, date: str) -> None:
    path = tmp_path / "a.csv"
    lines = (f'"1","anna#1234","{date}","hi,\nall","",""', f'"2","ben","{date}","hello","",""')
    assert read_csv(path, *lines) == [Example(("hi, all",), "hello", f"{path}:2", f"{path}:4")]


@pytest.mark.parametrize("text", ["", "Joined the server.", "Pinned a message.", "<@123456>"])
def test_a_table_has_messages_that_nobody_wrote(tmp_path: Path, text: str) -> None:
    date = "2020-12-31T21:15:03+00:00"
    lines = (f"1,anna,{date},hi,,", f"1,anna,{date},{text},http://x,", f"2,ben,{date},yes,,")
    [example] = read_csv(tmp_path / "a.csv", *lines)
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("hi",), "yes")


def test_a_bad_row_is_a_fault_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    date = "2020-12-31T21:15:03+00:00"
    lines = ("1,anna,soon,hi,,", "1,anna", f"1,anna,{date},hi,,", f"2,ben,{date},yes,,")
    first, second, example = read_csv(path, *lines)
    assert isinstance(first, Fault)
    assert first.origin == f"{path}:2"
    assert second == Fault(f"{path}:3", "has 2 columns, expected 4")
    assert isinstance(example, Example)


def test_another_table_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match=r"a\.csv: has no column AuthorID or Author or"):
        list(read_discord(path, KEEP))


@pytest.mark.parametrize(
    "other",
    [
        message(2, "Joined the server.", type="GuildMemberJoin"),
        message(2, "beep", author={"id": "3", "name": "bot", "isBot": True}),
        message(2, "", attachments=[{"url": "x"}]),
    ],
)
def test_bots_and_notices_are_left_out(tmp_path: Path, other: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    [example] = read_json(path, message(1, "hi"), other, message(2, "<:wave:12> yes", type="Reply"))
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("hi",), ":wave: yes")


def test_mentions_are_hidden(tmp_path: Path) -> None:
    people = [{"id": "7", "name": "carl", "nickname": "Carl the Great"}]
    messages = (message(1, "hi @Carl the Great", mentions=people), message(2, "Anna?"))
    [example] = read_json(tmp_path / "a.json", *messages, options=ChatOptions())
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("hi @name",), "@name?")


@pytest.mark.parametrize(
    "other",
    [
        5,
        {"type": "Default"},
        message(2, None),
        message(2, "x", author=[]),
        message(2, "x", author={}),
        message(2, "x", timestamp="soon"),
        message(2, "x", timestamp=None),
    ],
)
def test_a_message_of_another_shape_is_a_fault(tmp_path: Path, other: Any) -> None:
    path = tmp_path / "a.json"
    fault, example = read_json(path, other, message(1, "a"), message(2, "b"))
    assert isinstance(fault, Fault)
    assert fault.origin == f"{path}:4"
    assert isinstance(example, Example)
