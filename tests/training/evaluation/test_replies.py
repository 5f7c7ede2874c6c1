from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from training.evaluation.replies import own_repeats, unseen_words
from training.prepare.shards import SCHEMA, Shard, write_shard

Talks = Sequence[Sequence[str]]


def echo(talks: Talks) -> list[str]:
    return [talk[-1] for talk in talks]


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
