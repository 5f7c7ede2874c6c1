from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from training.errors import CorpusError
from training.files.records import Example, Fault
from training.readers.chats import ChatOptions
from training.readers.telegram import read_telegram

KEEP = ChatOptions(keep_names=True)


def message(who: int, text: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "type": "message",
        "date": "2020-12-31T21:15:03",
        "date_unixtime": "1609445703",
        "from": "Anna Ash" if who == 1 else "Ben",
        "from_id": f"user{who}",
        "text": text,
        **more,
    }


def export(*messages: Any) -> dict[str, Any]:
    return {"name": "Ben", "type": "personal_chat", "id": 5, "messages": list(messages)}


def read(path: Path, document: Any, options: ChatOptions = KEEP) -> list[Example | Fault]:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
    return list(read_telegram(path, options))


def test_a_text_may_be_a_list_of_texts_and_entities(tmp_path: Path) -> None:
    text = ["see ", {"type": "link", "text": "https://example.org"}, {"type": "bold", "text": "!"}]
    path = tmp_path / "result.json"
    assert read(path, export(message(1, "hi"), message(2, text))) == [
        Example(("hi",), "see https://example.org!", f"{path}:6", f"{path}:15")
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"id": 2, "type": "service", "actor": "Ben", "action": "pin_message", "text": ""},
        message(2, "news", forwarded_from="Channel"),
        message(2, "gif", via_bot="@gif"),
        message(2, "", media_type="sticker", sticker_emoji="x"),
        message(2, "", photo="photos/1.jpg"),
    ],
)
def test_what_nobody_wrote_is_left_out(tmp_path: Path, other: dict[str, Any]) -> None:
    document = export(message(1, "hi"), other, message(1, "there?"), message(2, "yes"))
    [example] = read(tmp_path / "a.json", document)
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("hi there?",), "yes")


def test_a_full_export_has_many_chats(tmp_path: Path) -> None:
    chats = [export(message(1, "a"), message(2, "b")), export(message(2, "c"), message(1, "d"))]
    document = {"about": 'a text with "messages": [', "chats": {"list": chats}}
    found = read(tmp_path / "result.json", document)
    assert [each.target for each in found if isinstance(each, Example)] == ["b", "d"]
    assert len(found) == 2


def test_mentions_and_names_are_hidden(tmp_path: Path) -> None:
    text = ["hi ", {"type": "mention", "text": "@carl"}, " and Ben"]
    document = export(message(1, text), message(2, "Anna?"))
    [example] = read(tmp_path / "a.json", document, ChatOptions())
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("hi @name and @name",), "@name?")


def test_a_deleted_account_has_no_name(tmp_path: Path) -> None:
    document = export(message(1, "a", **{"from": None}), message(2, "b"))
    assert len(read(tmp_path / "a.json", document)) == 1


@pytest.mark.parametrize(
    "other",
    [
        5,
        {},
        message(2, 5),
        message(2, [5]),
        message(2, "x", from_id=None, **{"from": None}),
        message(2, "x", date_unixtime="soon"),
        message(2, "x", date_unixtime=None),
    ],
)
def test_a_message_of_another_shape_is_a_fault_with_its_line(tmp_path: Path, other: Any) -> None:
    path = tmp_path / "a.json"
    document = export(other, message(1, "a"), message(2, "b"))
    fault, example = read(path, document)
    assert isinstance(fault, Fault)
    assert fault.origin == f"{path}:6"
    assert isinstance(example, Example)


def test_a_message_that_is_no_json_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    read(path, export(message(1, "broken"), message(1, "a"), message(2, "b")))
    path.write_text(path.read_text().replace('"broken"', '"broken'))
    fault, example = read_telegram(path, KEEP)
    assert isinstance(fault, Fault)
    assert fault.origin == f"{path}:13"
    assert isinstance(example, Example)


def test_another_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="not an export of Telegram"):
        read(tmp_path / "a.json", {"contacts": []})
