from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from training.evaluation.replies import own_repeats, robustness, unseen_words
from training.prepare.shards import SCHEMA, Shard, write_shard

Talks = Sequence[Sequence[str]]


def echo(talks: Talks) -> list[str]:
    return [talk[-1] for talk in talks]


def test_a_model_that_reads_letter_by_letter_changes_its_answers() -> None:
    sources = [("How are you?",), ("I am Anna",), ("hello",)]
    found = robustness(echo, sources, echo(sources))
    assert found == {"same_without_final_mark_percent": 0.0, "same_in_lower_case_percent": 0.0}


def test_a_model_that_ignores_case_gives_equal_answers() -> None:
    def plain(talks: Talks) -> list[str]:
        return [talk[-1].lower() for talk in talks]

    sources = [("earlier", "I see."), ("I see",)]
    found = robustness(plain, sources, plain(sources))
    assert found == {"same_without_final_mark_percent": 0.0, "same_in_lower_case_percent": 100.0}


def test_messages_that_nothing_changes_are_not_counted() -> None:
    assert robustness(echo, [("hello",)], ["hello"]) == {}
    assert robustness(echo, [("...",)], ["..."]) == {}


@pytest.mark.parametrize(
    ("say", "expected"),
    [
        (echo, 0.0),
        (lambda talks: ["Yes."] * len(talks), 87.5),  # all but the first of eight
        (lambda talks: ["Yes." if len(talk) == 1 else talk[-1] for talk in talks], 0.0),
        (lambda talks: [talk[-2] if len(talk) > 1 else "Yes." for talk in talks], 87.5),
    ],
)
def test_what_was_said_before_in_a_conversation_is_a_repeat(say: object, expected: float) -> None:
    sources = [(f"message {i}",) for i in range(80)]
    assert own_repeats(say, sources) == expected  # type: ignore[arg-type]


def test_words_that_no_target_has_are_counted(tmp_path: Path) -> None:
    rows = [
        {"source_ids": [5], "target_ids": [5], "source_turns": ["an apple"], "target_text": text}
        for text in ("Yes, a pear.", "No!")
    ]
    write_shard(tmp_path / "train.arrow", [pa.RecordBatch.from_pylist(rows, SCHEMA)])
    train = Shard(tmp_path / "train.arrow")
    assert unseen_words(train, ["yes, an apple", "No, a Pear?", "... apple!"]) == {
        "apple": 2,
        "an": 1,
    }
