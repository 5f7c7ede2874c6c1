from __future__ import annotations

from typing import Any

import pytest

from training.files.records import Example, Fault
from training.readers.fields import Fields, records_of


def read(*records: Any, **fields: Any) -> list[Example | Fault]:
    return list(records_of(enumerate(records, start=1), "a", Fields(**fields)))


@pytest.mark.parametrize(
    "record",
    [
        {"dialog": ["hi", "hello"]},
        {"dialogue": ["hi", "hello"], "source": "web"},
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]},
        {
            "contents": [
                {"role": "user", "parts": [{"text": "hi"}]},
                {"role": "model", "parts": [{"text": "hello"}]},
            ]
        },
        {"chat_messages": [{"sender": "human", "text": "hi"}, {"sender": "ai", "text": "hello"}]},
        {"turns": [{"speaker": "A", "text": "hi"}, {"speaker": "B", "utterance": "hello"}]},
        ["hi", "hello"],
        {
            "messages": [
                {"role": "system", "content": "Be kind.", "tool_calls": None},
                {"role": "user", "content": "hi", "tool_calls": None},
                {"role": "assistant", "content": "hello", "tool_calls": None},
            ]
        },
    ],
)
def test_conversations_have_many_shapes(record: Any) -> None:
    [example] = read(record)
    assert example == Example(("hi",), "hello", "a:1", "a:1:2")


@pytest.mark.parametrize(
    ("record", "source", "target"),
    [
        ({"source": "a", "target": "b"}, "a", "b"),
        ({"instruction": "Add.", "input": "1 2", "output": "3"}, "Add. 1 2", "3"),
        ({"instruction": "Add.", "input": "", "output": "3"}, "Add.", "3"),
        ({"instruction": "Add.", "context": "1 2", "response": "3"}, "Add. 1 2", "3"),
        ({"prompt": "a", "completion": "b"}, "a", "b"),
        ({"question": "a", "answer": "<p>b &amp; c</p>"}, "a", "b & c"),
        ({"question": "a", "answer": "b", "id": 5}, "a", "b"),
        ({"system_prompt": "Be kind.", "question": "a", "response": "b"}, "a", "b"),
        ({"source": "a", "translation": "b"}, "a", "b"),
        ({"translation": {"en": "b", "de": "a"}, "id": 5}, "a", "b"),
    ],
)
def test_pairs_have_many_names(record: dict[str, Any], source: str, target: str) -> None:
    assert read(record) == [Example((source,), target, source, "a:1")]


def test_records_in_one_record_are_read() -> None:
    pairs = [{"question": "a", "answer": "b"}, {"question": "c", "answer": "d"}]
    expected = [Example(("a",), "b", "a", "a:1"), Example(("c",), "d", "c", "a:1#2")]
    assert read({"data": pairs}) == read({"7": pairs[0], "9": pairs[1]}) == expected


def test_conversations_in_one_line_are_groups_of_their_own() -> None:
    [one, other] = read({"data": [{"turns": ["a", "b"]}, {"turns": ["a", "b"]}]})
    assert isinstance(one, Example) and isinstance(other, Example)
    assert one.group != other.group


def test_a_message_and_its_answer_are_a_translation() -> None:
    turns = [{"role": "system", "content": "Translate."}]
    turns += [{"role": "user", "content": "Yes."}, {"role": "assistant", "content": "Ja."}]
    assert read({"messages": turns}, languages=("en", "de")) == [
        Example(("Yes.",), "Ja.", "Yes.", "a:1")
    ]


def test_columns_lead_into_records_within_records() -> None:
    record = {"data": {"q": "a", "r.s": "b"}, "doc": 7}
    assert read(record, columns=("data.q", "data.r.s"), group_column="doc") == [
        Example(("a",), "b", "7", "a:1")
    ]


def test_a_column_may_hold_all_turns() -> None:
    record = {"x": {"talk": ["a", "b", "c"]}, "film": "m1"}
    assert read(record, columns=("x.talk",)) == [
        Example(("a",), "b", "a:1", "a:1:2"),
        Example(("a", "b"), "c", "a:1", "a:1:3"),
    ]


@pytest.mark.parametrize("has_prompt", [False, True])
def test_a_column_may_hold_the_messages_after_those_of_others(has_prompt: bool) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    one, other = {"prompt": talk[:1], "chosen": talk[1:]}, {"prompt": "a", "chosen": talk}
    assert read(other if has_prompt else one, columns=("prompt", "chosen")) == [
        Example(("a",), "b", "a:1", "a:1:2")
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"id": 8}, {"id": 9, "up": 8.0}),
        ({"id": "8", "up": ""}, {"id": "9", "up": "8.0"}),
        ({"id": "x", "up": "t3_post"}, {"id": "y", "up": "t1_x"}),
        ({"id": {"$oid": "a"}, "up": None}, {"id": {"$oid": "b"}, "up": {"$oid": "a"}}),
    ],
)
def test_rows_that_answer_each_other_are_exchanges(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    rows = [{"text": "hello", **second}, {"text": "hi", **first}]
    [example] = read(*rows, columns=("text",), reply_columns=("id", "up"))
    assert isinstance(example, Example)
    assert (example.source, example.target, example.origin) == (("hi",), "hello", "a:1")


def test_rows_without_text_or_id_are_no_messages() -> None:
    rows = [{"id": 1, "text": None}, {"text": "hi"}]
    assert read(*rows, columns=("text",), reply_columns=("id", "up")) == [
        Fault("a:1", "not a message: has no text in text; its fields: id, text"),
        Fault("a:2", "not a message: has no value in id"),
    ]


def test_rows_of_one_group_are_a_conversation() -> None:
    rows = [{"text": text, "talk": talk} for text, talk in (("a", 1), ("b", 1), ("c", 2), ("d", 2))]
    assert read(*rows, columns=("text",), group_column="talk") == [
        Example(("a",), "b", "a:1", "a:2"),
        Example(("c",), "d", "a:2", "a:4"),
    ]


@pytest.mark.parametrize("speaker", ["role", "speaker", "creator"])
def test_neighbouring_messages_of_one_speaker_are_one_turn(speaker: str) -> None:
    people: list[Any] = ["Ann", "Ann", "Ben", None, None]
    if speaker == "creator":
        people = [{"name": name} for name in people[:3]] + [None, None]
    messages = [{speaker: each, "text": text} for each, text in zip(people, "abcde", strict=True)]
    found = [each for each in read({"messages": messages}) if isinstance(each, Example)]
    assert found[-1].source == ("a b", "c", "d")
    assert found[-1].target == "e"


@pytest.mark.parametrize(
    ("record", "answers"),
    [
        ({"in": ["Hi", "Hello"], "out": ["Hey."]}, ["Hey.", "Hey."]),
        ({"in": ["Hi", "Hello", " "], "out": "Hey."}, ["Hey.", "Hey."]),
        ({"in": "Hi", "out": ["Hey.", "Oh."]}, ["Hey."]),
    ],
)
def test_two_columns_may_hold_lists_as_intents_do(
    record: dict[str, Any], answers: list[str]
) -> None:
    found = read(record, columns=("in", "out"))
    assert [each.target for each in found if isinstance(each, Example)] == answers
    [fault] = read({**record, "out": []}, columns=("in", "out"))
    assert fault == Fault("a:1", "not a conversation or pair: an intent without in or out")


@pytest.mark.parametrize(
    ("record", "fields", "reason"),
    [
        (5, {}, "expected a record with named fields"),
        ([{"a": "b"}], {}, "expected a record with named fields; name a file with an array .json"),
        ({"text": "a"}, {}, "name `columns` of: text"),
        ({"translation": {"en": "a", "de": "b", "fr": "c"}}, {}, "name two `languages`"),
        ({"How are you?": "Fine.", "Who is it?": "Me."}, {}, "its names are texts. Write each"),
        ({"translation": {"en": "a"}}, {"languages": ("en", "de")}, "no texts in en and de"),
        ({"turns": ["a", "b", "c"]}, {"languages": ("en", "de")}, "has 3 turns; a translation is"),
        (
            {"messages": [{"sender_name": name, "content": "Hi."} for name in ("Ann", "Ben")]},
            {},
            "Set format = 'messenger'",
        ),
        ({"conversations": [{"id": 7, "parts": {}}]}, {}, "content}. Received: ['id', 'parts']"),
        ({"a": "x", "b": None}, {"columns": ("a", "b")}, "has no text in b"),
        ({"a": "x"}, {"columns": ("a",)}, "expected a list of turns"),
        ({"a": "x", "b": "y"}, {"columns": ("a", "b"), "group_column": "c"}, "no value in c"),
        ({"a": 5, "c": 1}, {"columns": ("a",), "group_column": "c"}, "has no text in a"),
    ],
)
def test_another_shape_is_a_fault_that_names_what_was_expected(
    record: Any, fields: dict[str, Any], reason: str
) -> None:
    [fault] = read(record, **fields)
    assert isinstance(fault, Fault)
    assert fault.origin == "a:1"
    assert reason in fault.reason
