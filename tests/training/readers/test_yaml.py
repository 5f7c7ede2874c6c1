from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.files.records import Example, Fault
from training.readers.yaml import read_yaml

TALK = """\
categories:
- food
conversations:
- - do you eat?
  - no
- - what is 2 + 2?
  - 4
  - thanks
"""


def read(path: Path, text: str) -> list[Example | Fault]:
    path.write_text(text, encoding="utf-8")
    return list(read_yaml(path))


def test_every_scalar_is_a_text_and_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "food.yml"
    assert read(path, TALK) == [
        Example(("do you eat?",), "no", "do you eat?", f"{path}:5"),
        Example(("what is 2 + 2?",), "4", "what is 2 + 2?", f"{path}:7"),
        Example(("what is 2 + 2?", "4"), "thanks", "what is 2 + 2?", f"{path}:8"),
    ]


def test_a_turn_that_is_no_text_makes_its_conversation_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "talk.yml"
    text = "conversations:\n- - a\n  - key: value\n- b\n- - c\n  - d\n"
    assert read(path, text) == [
        Fault(f"{path}:2", "expected a list of texts"),
        Fault(f"{path}:4", "expected a list of texts"),
        Example(("c",), "d", "c", f"{path}:6"),
    ]


@pytest.mark.parametrize(
    "text", ["", "a: [b", "- a\n- b\n", "conversations: none\n", "[" * 5000, "? [a]\n: b\n"]
)
def test_another_document_is_one_fault(tmp_path: Path, text: str) -> None:
    [fault] = read(tmp_path / "talk.yml", text)
    assert isinstance(fault, Fault)
    assert fault.origin.endswith("talk.yml:1")


def test_a_conversation_that_holds_itself_is_a_fault(tmp_path: Path) -> None:
    [fault] = read(tmp_path / "talk.yml", "conversations: &a\n- *a\n")
    assert isinstance(fault, Fault)


@settings(max_examples=50)
@given(content=st.binary(max_size=200))
def test_wild_bytes_are_faults_at_worst(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wild.yml"
    path.write_bytes(b"conversations:\n- - a\n  - " + content)
    assert all(isinstance(record, Example | Fault) for record in read_yaml(path))


@pytest.mark.parametrize("indent", ["", "  "])
@pytest.mark.parametrize("turn", ['"open', "a\x0bb", "*unknown", "[", "@at"])
def test_a_damaged_conversation_costs_no_other(tmp_path: Path, indent: str, turn: str) -> None:
    talks = [("a", "b"), ("c", turn), ("d", '"e"'), ("f", "g")]
    text = "conversations:  # some\n\n" + "".join(
        f"{indent}- - {first}\n{indent}  - {second}\n" for first, second in talks
    )
    path = tmp_path / "talk.yml"
    one, fault, *others = read(path, text + "categories:\n- food\n")
    assert isinstance(fault, Fault)
    assert fault.origin == f"{path}:5"
    assert [
        (each.source, each.target, each.origin)
        for each in (one, *others)
        if isinstance(each, Example)
    ] == [
        (("a",), "b", f"{path}:4"),
        (("d",), "e", f"{path}:8"),
        (("f",), "g", f"{path}:10"),
    ]


def test_bytes_that_are_no_text_are_marked_in_their_turn_alone(tmp_path: Path) -> None:
    path = tmp_path / "talk.yml"
    path.write_bytes(b"conversations:\n- - caf\xe9\n  - b\n- - c\n  - d\n")
    sources = [each.source for each in read_yaml(path) if isinstance(each, Example)]
    assert sources == [("caf\ufffd",), ("c",)]
