"""Batches of few, static shapes: examples by length, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.tokenizer import BOS_ID, EOS_ID, PAD_ID
from training.prepare.shards import Shard

#: Lengths that sources and targets are padded to, so that few shapes are ever compiled; longer ones
#: to a multiple of the last.
LENGTHS = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384, 512, 768, 1024)

Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Batch:
    """Input of one training step. Rows beyond the last example have weight 0.

    Attributes:
        source_ids: int32 `(batch, source_len)`, padded with `PAD_ID`.
        target_ids: int32 `(batch, target_len)`, input of the decoder: begins with `BOS_ID`.
        labels: int32 `(batch, target_len)`, its expected output: ends with `EOS_ID`.
        weights: float32 `(batch, target_len)`, 1 at real labels.
    """

    source_ids: Int32
    target_ids: Int32
    labels: Int32
    weights: NDArray[np.float32]

    @property
    def inputs(self) -> dict[str, Int32]:
        """Returns the inputs of the network."""
        return {"source_ids": self.source_ids, "target_ids": self.target_ids}


def plan_batches(
    shard: Shard, batch_tokens: int, *, seed: int, epoch: int
) -> list[NDArray[np.int64]]:
    """Plans the batches of an epoch; returns the indices of each. The plan depends on seed and
    epoch; the number of batches is the same in every epoch.

    A batch has examples of one padded target length and of similar source lengths; the order
    within a shape and that of the batches is random.
    """
    draw = np.random.default_rng([seed, epoch])
    source_len, target_len = _padded(shard.source_lengths), _padded(shard.target_lengths + 1)
    order = draw.permutation(len(shard))
    order = order[np.lexsort((source_len[order], target_len[order]))]
    batches: list[NDArray[np.int64]] = []
    for group in np.split(order, np.flatnonzero(np.diff(target_len[order])) + 1):
        rows = rows_of_a_batch(int(target_len[group[0]]), batch_tokens)
        batches += np.array_split(group, range(rows, len(group), rows))
    return [batches[i] for i in draw.permutation(len(batches))]


def rows_of_a_batch(target_len: int, batch_tokens: int) -> int:
    """Returns the number of examples of `target_len` that fit the budget, at least one."""
    return max(1, batch_tokens // target_len)


def read_batches(shard: Shard, plan: list[NDArray[np.int64]], batch_tokens: int) -> Iterator[Batch]:
    """Yields the batches of a plan, each with the full number of rows for its shape."""
    for indices in plan:
        yield make_batch(shard.source_ids(indices), shard.target_ids(indices), batch_tokens)


def make_batch(sources: list[Int32], targets: list[Int32], batch_tokens: int) -> Batch:
    """Pads examples to a batch (sources end with `EOS_ID`, targets have neither begin nor end)."""
    source_len = int(_padded(np.array([max(map(len, sources))]))[0])
    target_len = int(_padded(np.array([max(map(len, targets)) + 1]))[0])
    rows = max(len(sources), rows_of_a_batch(target_len, batch_tokens))
    source_ids = np.full((rows, source_len), PAD_ID, np.int32)
    target_ids = np.full((rows, target_len), PAD_ID, np.int32)
    labels = np.full((rows, target_len), PAD_ID, np.int32)
    weights = np.zeros((rows, target_len), np.float32)
    source_ids[:, 0] = EOS_ID  # an empty row attends to something
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        source_ids[row, : len(source)] = source
        target_ids[row, 0] = BOS_ID
        target_ids[row, 1 : len(target) + 1] = target
        labels[row, : len(target)] = target
        labels[row, len(target)] = EOS_ID
        weights[row, : len(target) + 1] = 1.0
    return Batch(source_ids, target_ids, labels, weights)


def _padded(lengths: Int32) -> Int32:
    """Rounds each length up to one of `LENGTHS`, or to a multiple of the last."""
    longest = LENGTHS[-1]
    listed = np.asarray(LENGTHS, np.int32)[np.searchsorted(LENGTHS[:-1], lengths)]
    return np.where(lengths <= longest, listed, -(-lengths // longest) * longest).astype(np.int32)
