from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.tokenizer import BOS_ID, EOS_ID
from tests.training.conftest import write_examples
from training.fit.batches import make_batch, plan_batches, read_batches
from training.fit.shapes import LENGTHS
from training.prepare.shards import Shard


def written(path: Path, lengths: list[tuple[int, int]]) -> Shard:
    """A shard of random ids with these lengths of source and target."""
    draw = np.random.default_rng(0)

    def ids(length: int) -> list[int]:
        return draw.integers(5, 50, length).tolist()

    return write_examples(
        path, [([*ids(source), EOS_ID], ids(target)) for source, target in lengths]
    )


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    draw = np.random.default_rng(1)
    lengths = [(int(draw.integers(1, 30)), int(draw.integers(1, 40))) for _ in range(500)]
    return written(tmp_path / "train.arrow", lengths)


def test_an_epoch_sees_each_example_once(shard: Shard) -> None:
    seen = np.concatenate(plan_batches(shard, 256, seed=1, epoch=0))
    assert sorted(seen.tolist()) == list(range(500))


def test_epochs_differ_and_repeat_by_their_seed(shard: Shard) -> None:
    def plan(seed: int, epoch: int) -> list[list[int]]:
        return [batch.tolist() for batch in plan_batches(shard, 256, seed=seed, epoch=epoch)]

    assert plan(1, 0) == plan(1, 0)
    assert plan(1, 0) != plan(1, 1)
    assert len(plan(1, 0)) == len(plan(2, 5))


def test_batches_keep_within_the_budget_and_few_shapes(shard: Shard) -> None:
    plan = plan_batches(shard, 256, seed=1, epoch=0)
    shapes = set()
    for batch in read_batches(shard, plan, 256):
        assert batch.labels.size <= 256
        shapes.add((batch.source_ids.shape, batch.labels.shape))
        assert batch.source_ids.shape[1] in LENGTHS
        assert batch.labels.shape[1] in LENGTHS
    assert len(shapes) < 60


def test_targets_are_read_one_step_behind_their_labels() -> None:
    batch = make_batch([np.array([7, EOS_ID])], [np.array([8, 9])], (2, 4, 4))
    assert batch.target_ids[0].tolist() == [BOS_ID, 8, 9, 0]
    assert batch.labels[0].tolist() == [8, 9, EOS_ID, 0]
    assert batch.weights[0].tolist() == [1, 1, 1, 0]
    assert batch.weights[1:].sum() == 0


@pytest.mark.parametrize(
    ("tokens", "padded"), [(1022, 1024), (1023, 1024), (1024, 2048), (1120, 2048), (2048, 3072)]
)
def test_a_part_that_was_given_may_hold_texts_of_any_length(
    tmp_path: Path, tokens: int, padded: int
) -> None:
    shard = written(tmp_path / "dev.arrow", [(5, 3), (tokens, tokens)])
    shapes = {}
    for batch in read_batches(shard, plan_batches(shard, 64, seed=1, epoch=0), 64):
        shapes[int(batch.weights.sum())] = (batch.source_ids.shape, batch.labels.shape)
    assert shapes == {4: ((16, 6), (16, 4)), tokens + 1: ((1, padded), (1, padded))}
