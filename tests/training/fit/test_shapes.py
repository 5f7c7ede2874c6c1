from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.tokenizer import EOS_ID
from tests.training.conftest import write_examples
from training.fit.batches import plan_batches, read_batches
from training.fit.shapes import UNPLANNED, Shapes, plan_shapes, shapes_for
from training.prepare.shards import Shard

BATCH_TOKENS = 256


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    draw = np.random.default_rng(1)
    rows = [
        (
            [*draw.integers(5, 50, int(draw.integers(1, 60))).tolist(), EOS_ID],
            draw.integers(5, 50, int(draw.integers(1, 40))).tolist(),
        )
        for _ in range(500)
    ]
    return write_examples(tmp_path / "train.arrow", rows)


def lengths(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def test_an_epoch_has_at_most_twelve_planned_shapes(shard: Shard) -> None:
    shapes = plan_shapes(shard, rows_multiple=3)
    plan = plan_batches(shard, BATCH_TOKENS, seed=1, epoch=0, shapes=shapes)
    batches = list(read_batches(shard, plan, BATCH_TOKENS, shapes))
    assert 1 < len({(batch.source_ids.shape, batch.labels.shape) for batch in batches}) <= 12
    assert all(len(batch.labels) % 3 == 0 for batch in batches)
    assert all(batch.labels.size <= BATCH_TOKENS for batch in batches)
    assert sorted(np.concatenate(plan).tolist()) == list(range(500))


@pytest.mark.parametrize("compiles", [False, True])
def test_shapes_are_planned_where_each_is_compiled(
    shard: Shard, monkeypatch: pytest.MonkeyPatch, compiles: bool
) -> None:
    monkeypatch.setattr("training.fit.shapes.COMPILES_STEPS", compiles)
    assert shapes_for(shard) == (plan_shapes(shard, 1) if compiles else UNPLANNED)


def test_the_lengths_that_pad_least_are_chosen(tmp_path: Path) -> None:
    target_lengths = [2] * 9 + [3] + [4] * 9 + [8] * 5 + [9] * 5
    rows = [([EOS_ID], [5] * (length - 1)) for length in target_lengths]
    levels = plan_shapes(write_examples(tmp_path / "train.arrow", rows), rows_multiple=1).levels
    assert levels == ((2, (1,)), (4, (1,)), (8, (1,)), (9, (1,)))


def test_what_is_longer_than_planned_is_padded_to_a_multiple() -> None:
    shapes = Shapes(levels=((4, (3, 6)), (10, (5,))))
    padded = shapes.pad(lengths(3, 4, 13, 2, 5), lengths(4, 2, 4, 11, 21))
    assert [each.tolist() for each in padded] == [[3, 6, 18, 5, 5], [4, 4, 4, 20, 30]]


def test_each_device_has_a_row_however_long_it_is() -> None:
    assert Shapes(rows_multiple=4).rows(target_len=100, batch_tokens=100) == 4
    assert Shapes(rows_multiple=4).rows(target_len=10, batch_tokens=100) == 8
    assert Shapes().rows(target_len=1000, batch_tokens=100) == 1


def test_the_shares_of_processes_are_the_batch(shard: Shard) -> None:
    shapes = plan_shapes(shard, rows_multiple=2)
    plan = plan_batches(shard, BATCH_TOKENS, seed=1, epoch=0, shapes=shapes)
    whole, first, second = (
        read_batches(shard, plan, BATCH_TOKENS, shapes, share)
        for share in (
            lambda rows: slice(0, rows),
            lambda rows: slice(0, rows // 2),
            lambda rows: slice(rows // 2, rows),
        )
    )
    for batch, *halves in zip(whole, first, second, strict=True):
        for name in ("source_ids", "target_ids", "labels", "weights"):
            joined = np.concatenate([getattr(half, name) for half in halves])
            np.testing.assert_array_equal(joined, getattr(batch, name))
        assert batch.tokens == halves[0].tokens == halves[1].tokens == batch.weights.sum()
