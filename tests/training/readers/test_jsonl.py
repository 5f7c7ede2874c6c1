from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.files.records import Example, Fault
from training.readers.fields import Fields
from training.readers.json_values import MAX_BROKEN
from training.readers.jsonl import read_jsonl


def read(path: Path, *records: object) -> list[Example | Fault]:
    path.write_text("\n".join(json.dumps(record) for record in records), encoding="utf-8")
    return list(read_jsonl(path))


def test_turns_become_exchanges_of_one_group(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    assert read(path, {"id": 1, "turns": ["a", "b", "c"]}) == [
        Example(("a",), "b", f"{path}:1", f"{path}:1:2"),
        Example(("a", "b"), "c", f"{path}:1", f"{path}:1:3"),
    ]


def test_messages_of_the_system_are_left_out(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
    ]
    [example] = read(tmp_path / "talks.jsonl", {"messages": messages})
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("hi",), "hello")


@pytest.mark.parametrize(
    "record",
    [
        5,
        "turns",
        ["turns"],
        {},
        {"turns": "abc"},
        {"turns": {"a": "b"}},
        {"turns": ["a", 5]},
        {"turns": []},
        {"messages": [{"role": "user"}, {"content": "b"}]},
        {"messages": [{"content": [{"type": "image_url"}]}]},
    ],
)
def test_another_shape_is_a_fault_and_the_next_line_is_read(tmp_path: Path, record: object) -> None:
    fault, example = read(tmp_path / "talks.jsonl", record, {"turns": ["a", "b"]})
    assert isinstance(fault, Fault)
    assert fault.origin == f"{tmp_path / 'talks.jsonl'}:1"
    assert isinstance(example, Example)


@settings(max_examples=50)
@given(content=st.binary(max_size=200))
def test_wild_bytes_are_faults_at_worst(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wild.jsonl"
    path.write_bytes(content + b"\n")  # a file of CR alone is refused
    assert all(isinstance(record, Example | Fault) for record in read_jsonl(path))


def test_instructions_and_tools_are_no_turns_and_parts_are_one_text(tmp_path: Path) -> None:
    record = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What"}, {"type": "image_url"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
            {"role": "tool", "content": "12 degrees"},
            {"role": "assistant", "content": "Cold."},
        ]
    }
    [example] = read(tmp_path / "talks.jsonl", record)
    assert isinstance(example, Example)
    assert (example.source, example.target) == (("What",), "Cold.")


def test_an_array_of_records_is_read_as_lines_are(tmp_path: Path) -> None:
    path = tmp_path / "talks.json"
    path.write_text('[\n  {"turns": ["a", "b"]},\n  {"source": "c",\n   "target": "d"}\n]\n')
    assert list(read_jsonl(path)) == [
        Example(("a",), "b", f"{path}:2", f"{path}:2:2"),
        Example(("c",), "d", "c", f"{path}:3"),
    ]


def test_a_broken_record_of_an_array_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "talks.json"
    path.write_text('[\n  {"turns": ["a", "b"]},\n  {"turns": [\n  {"turns": ["c", "d"]}\n]')
    first, fault, last = read_jsonl(path)
    assert isinstance(first, Example)
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("not JSON: ")
    assert isinstance(last, Example)
    assert last.target == "d"


def test_a_json_file_may_have_a_record_a_line_or_records_of_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "talks.json"
    path.write_text('{"turns": ["a", "b"]}\n{"turns": [}\n{"turns": ["c", "d"]}\n')
    assert [isinstance(each, Example) for each in read_jsonl(path)] == [True, False, True]
    path.write_text('{\n "turns": ["a", "b"]\n}\n{\n "turns": ["c", "d"]\n}\n')
    assert [isinstance(each, Example) for each in read_jsonl(path)] == [True, True]


def test_pairs_are_found_by_their_languages(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"translation": {"de": "Ja.", "en": "Yes."}}\n{"de": "Nein.", "en": "No."}\n')
    assert list(read_jsonl(path, Fields(languages=("en", "de")))) == [
        Example(("Yes.",), "Ja.", "Yes.", f"{path}:1"),
        Example(("No.",), "Nein.", "No.", f"{path}:2"),
    ]


def test_a_file_of_broken_values_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[" + "\n{" * (2 * MAX_BROKEN))
    faults = list(read_jsonl(path))
    assert len(faults) == MAX_BROKEN
    assert isinstance(faults[-1], Fault)
    assert faults[-1].reason.endswith("the rest is left out")


INTENTS = {
    "meta": {"version": 1},
    "intents": [
        {
            "tag": "hours",
            "patterns": ["When?", "Open?", "Hours?"],
            "responses": ["9 to 5.", "All day."],
        },
        {"tag": "nothing", "patterns": [""], "responses": ["Pardon?"]},
        {"tag": "bye", "patterns": ["Bye"], "responses": ["See you!"]},
    ],
}


@pytest.mark.parametrize("extra", [{}, {"version": "1.1", "count": 2}])
def test_the_only_list_of_records_is_unwrapped(tmp_path: Path, extra: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(extra | {"faqs": [{"question": "Who?", "answer": "Me."}] * 2}))
    assert [each.target for each in read_jsonl(path) if isinstance(each, Example)] == ["Me.", "Me."]
    record = {"question": "Who?", "answer": "Me.", "links": [{"question": "a", "answer": "b"}]}
    path.write_text(json.dumps(record))
    assert [each.target for each in read_jsonl(path) if isinstance(each, Example)] == ["Me."]


def test_a_field_of_the_same_name_is_no_list_of_intents(tmp_path: Path) -> None:
    record = {"intents": ["greet"], "source": "hi", "target": "hallo"}
    [example] = read(tmp_path / "a.json", record)
    assert isinstance(example, Example) and example.target == "hallo"


@pytest.mark.parametrize("indent", [None, 1])
def test_patterns_of_an_intent_take_its_responses_in_turn(
    tmp_path: Path, indent: int | None
) -> None:
    path = tmp_path / "intents.json"
    path.write_text(json.dumps(INTENTS, indent=indent), "utf-8")
    records = list(read_jsonl(path))
    examples = [record for record in records if isinstance(record, Example)]
    assert [(example.source, example.target) for example in examples] == [
        (("When?",), "9 to 5."),
        (("Open?",), "All day."),
        (("Hours?",), "9 to 5."),
        (("Bye",), "See you!"),
    ]
    assert len({example.group for example in examples}) == 2
    [fault] = [record for record in records if isinstance(record, Fault)]
    assert "without patterns" in fault.reason
