from __future__ import annotations

import math
from pathlib import Path

import pytest

from model.tokenizer import EOS_ID
from tests.training.conftest import write_examples
from training.fit.baselines import (
    describe_loss,
    describe_overuse,
    unigram_entropy,
)
from training.prepare.shards import Shard


def shard_of(path: Path, *parts: list[list[int]]) -> Shard:
    """A shard of these targets, a batch for each part."""
    return write_examples(path, *([([EOS_ID], target) for target in part] for part in parts))


def test_the_unigram_entropy_counts_half_of_an_occurrence_more_and_ends(tmp_path: Path) -> None:
    train = shard_of(tmp_path / "train.arrow", [[5, 5]], [[5, 6]])  # and two ends of sentence
    dev = shard_of(tmp_path / "dev.arrow", [[6, 7]])
    total = 6 + 8 * 0.5
    expected = -(math.log(1.5 / total) + math.log(0.5 / total) + math.log(2.5 / total)) / 3
    assert unigram_entropy(train, dev, 8) == pytest.approx(expected)


def test_a_loss_a_little_below_the_unigram_entropy_beats_nothing() -> None:
    assert describe_loss("dev", 5.55, 5.56)
    assert not describe_loss("dev", 5.0, 5.56)


@pytest.mark.parametrize(
    ("texts", "references"),
    [
        (list("aaab"), list("aaab")),  # as it should be
        (list("abcd"), list("efgh")),
        (list("aabc"), list("efgh")),  # too few to tell
        (list("aaa") + list("bcdefghijklmnopqrstuvwxyzABCDEF"), list("123" * 11 + "4")),
    ],
)
def test_an_answer_may_be_as_frequent_as_it_is_in_the_references(
    texts: list[str], references: list[str]
) -> None:
    assert describe_overuse(texts, references) == []


def test_empty_answers_and_one_same_answer_are_named() -> None:
    assert (
        "75% of 4 sampled answers are empty"
        in describe_overuse([*"a", "", "", ""], list("abcd"))[0]
    )
    assert "are the same: 'yes'" in describe_overuse(["yes"] * 4, list("abcd"))[0]
