from __future__ import annotations

from pathlib import Path

import pytest

from model.folder import DEFAULT_MODEL
from model.generator import Generator
from training.errors import CorpusError
from training.evaluation.answers import (
    Answers,
    TestSet,
    read_answers,
    read_test_set,
    write_answers,
)

ASKED = TestSet("test", (("a", "b"), ("c",)), ("B", "C"))


def test_answers_are_kept_and_read_again(tmp_path: Path) -> None:
    answered = [Answers("beam4", ("x", "")), Answers("greedy", ("y\nz", "w"))]
    write_answers(tmp_path, ASKED, answered)
    kept = tmp_path / "evaluation"
    assert (kept / "test.source.txt").read_text() == "a\tb\nc\n"
    assert (kept / "test.reference.txt").read_text() == "B\nC\n"
    assert read_answers(tmp_path, ASKED) == [
        Answers("beam4", ("x", "")),
        Answers("greedy", ("y z", "w")),
    ]


def test_answers_to_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="has no answers to test"):
        read_answers(tmp_path, ASKED)
    write_answers(tmp_path, ASKED, [Answers("greedy", ("x", "y"))])
    with pytest.raises(CorpusError, match="other references"):
        read_answers(tmp_path, TestSet("test", ASKED.sources, ("B", "D")))


def test_answers_of_an_earlier_search_are_deleted(tmp_path: Path) -> None:
    write_answers(tmp_path, ASKED, [Answers("greedy", ("x", "y")), Answers("beam4", ("x", "z"))])
    write_answers(tmp_path, ASKED, [Answers("greedy", ("v", "w"))])
    assert read_answers(tmp_path, ASKED) == [Answers("greedy", ("v", "w"))]


@pytest.mark.parametrize(("name", "other"), [("news", "news.2019"), ("news[1]", "news1")])
def test_test_sets_with_similar_names_are_kept_apart(tmp_path: Path, name: str, other: str) -> None:
    asked = TestSet(name, ASKED.sources, ASKED.references)
    write_answers(tmp_path, asked, [Answers("greedy", ("x", "y"))])
    write_answers(tmp_path, TestSet(other, (("a",),), ("A",)), [Answers("beam4", ("z",))])
    assert read_answers(tmp_path, asked) == [Answers("greedy", ("x", "y"))]


@pytest.mark.parametrize("side", ["a.en", "a.de"])
def test_a_test_set_in_another_encoding_is_refused(tmp_path: Path, side: str) -> None:
    source, target = (tmp_path / name for name in ("a.en", "a.de"))
    for path in (source, target):
        path.write_bytes("Yes.\nGrün.\n".encode("cp1252" if path.name == side else "utf-8"))
    with pytest.raises(CorpusError, match=f"{side}:2: holds bytes that are not UTF-8 text"):
        read_test_set(source, target, Generator.load(DEFAULT_MODEL, "onnx-int8"))


def test_only_a_dialogue_has_turns(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hello.\tWho is there?\n")
    for model, turns in ((DEFAULT_MODEL, 2), (Path("models/en-de"), 1)):
        generator = Generator.load(model, "onnx-int8")
        [source] = read_test_set(tmp_path / "a.txt", tmp_path / "a.txt", generator).sources
        assert len(source) == turns
