from __future__ import annotations

from typing import Any

from training.files.records import Example
from training.readers.fields import Fields, records_of

QUESTION, ANSWER, OTHER = "How long?", "Ten minutes.", "Five."


def read(record: dict[str, Any]) -> list[Any]:
    return list(records_of([(1, record)], "a", Fields()))


def test_nested_replies_are_a_tree() -> None:
    answer = {"role": "assistant", "text": ANSWER}
    thanks = {"role": "prompter", "text": "Thanks.", "replies": []}
    replies = [{**answer, "replies": [thanks]}, {**answer, "text": OTHER}]
    root = {"role": "prompter", "text": QUESTION, "replies": replies}
    expected = [
        Example((QUESTION,), ANSWER, "a:1", "a:1:2"),
        Example((QUESTION, ANSWER), "Thanks.", "a:1", "a:1:3"),
        Example((QUESTION,), OTHER, "a:1", "a:1:4"),
    ]
    assert read({"message_tree_id": "7", "prompt": root}) == expected  # OpenAssistant
    assert read(root) == expected


def test_a_comment_without_text_is_no_context_of_its_replies() -> None:
    leaf = {"author": "c", "text": ANSWER, "children": []}
    deleted = {"author": "b", "text": None, "children": [leaf]}
    assert read({"author": "a", "text": QUESTION, "children": [deleted]}) == []


def node(key: str, parent: str | None, role: str, *parts: str) -> dict[str, Any]:
    message = {"author": {"role": role}, "content": {"content_type": "text", "parts": [*parts]}}
    return {"id": key, "parent": parent, "message": message, "children": []}


def test_an_export_of_chatgpt_has_all_wordings_but_no_tools() -> None:
    nodes = [
        {"id": "1", "parent": "0", "message": None},
        node("2", "1", "system", "Be kind."),
        node("3", "2", "user", QUESTION),
        node("4", "3", "tool", "{}"),
        node("5", "4", "assistant", ANSWER),
        node("6", "3", "assistant", OTHER),
    ]
    assert read({"title": "Eggs", "mapping": {each["id"]: each for each in nodes}}) == [
        Example((QUESTION,), ANSWER, "a:1", "a:1"),
        Example((QUESTION,), OTHER, "a:1", "a:1"),
    ]
