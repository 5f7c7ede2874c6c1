"""Batches with a few static shapes: examples grouped by length, within a token budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from model.tokenizer import BOS_ID, EOS_ID, PAD_ID
from model.types import Float32, Int32, Int64
from training.fit.shapes import UNPLANNED, Shapes
from training.prepare.shards import Shard

#: Maps the rows of a batch to those of this process.
Share: TypeAlias = Callable[[int], slice]


@dataclass(frozen=True)
class Batch:
    """Input of a training step, or the share of a process. Rows beyond the last example have weight
    0.

    Attributes:
        source_ids: int32 `(batch, source_len)`, padded with `PAD_ID`.
        target_ids: int32 `(batch, target_len)`, input of the decoder: begins with `BOS_ID`.
        labels: int32 `(batch, target_len)`, its expected output: ends with `EOS_ID`.
        weights: float32 `(batch, target_len)`, 1 at real labels.
        tokens: number of real labels of the whole step, in all processes.
    """

    source_ids: Int32
    target_ids: Int32
    labels: Int32
    weights: Float32
    tokens: int

    @property
    def inputs(self) -> dict[str, Int32]:
        """Returns the inputs of the network."""
        return {"source_ids": self.source_ids, "target_ids": self.target_ids}


def plan_batches(
    shard: Shard, batch_tokens: int, *, seed: int, epoch: int, shapes: Shapes = UNPLANNED
) -> list[Int64]:
    """Plans the batches of an epoch; returns the indices of each. The plan depends on seed and
    epoch; the number of batches is the same in every epoch.

    A batch has examples with one padded target length and similar source lengths; the order within
    a shape and the order of the batches are random.
    """
    draw = np.random.default_rng([seed, epoch])
    source_len, target_len = shapes.pad(shard.sources.lengths, shard.targets.lengths + 1)
    order = draw.permutation(len(shard))
    order = order[np.lexsort((source_len[order], target_len[order]))]
    batches: list[Int64] = []
    for group in np.split(order, np.flatnonzero(np.diff(target_len[order])) + 1):
        rows = shapes.rows(int(target_len[group[0]]), batch_tokens)
        batches += np.array_split(group, range(rows, len(group), rows))
    return [batches[i] for i in draw.permutation(len(batches))]


def read_batches(
    shard: Shard,
    plan: list[Int64],
    batch_tokens: int,
    shapes: Shapes = UNPLANNED,
    share: Share = lambda rows: slice(0, rows),
) -> Iterator[Batch]:
    """Yields the batches of a plan, each with the full number of rows for its shape, or this
    process' share of them."""
    for indices in plan:
        target_lengths = shard.targets.lengths[indices] + 1
        shape = shape_of_batch(shard.sources.lengths[indices], target_lengths, batch_tokens, shapes)
        rows = share(shape[0])
        own, shape = indices[rows], (rows.stop - rows.start, *shape[1:])
        batch = make_batch(shard.sources.take(own), shard.targets.take(own), shape)
        yield replace(batch, tokens=int(target_lengths.sum()))


def shape_of_batch(
    source_lengths: Int32, target_lengths: Int32, batch_tokens: int, shapes: Shapes = UNPLANNED
) -> tuple[int, int, int]:
    """Returns rows, source length and target length of a batch of examples.

    Args:
        source_lengths, target_lengths: with the end of sentence, `(examples,)`.
        batch_tokens: target tokens of a batch, padding included.
        shapes: those to choose from.
    """
    padded = shapes.pad(source_lengths, target_lengths)
    source_len, target_len = (int(lengths.max()) for lengths in padded)
    return max(len(source_lengths), shapes.rows(target_len, batch_tokens)), source_len, target_len


def make_batch(sources: list[Int32], targets: list[Int32], shape: tuple[int, int, int]) -> Batch:
    """Pads examples to a batch (sources end with `EOS_ID`, targets have neither begin nor end)."""
    rows, source_len, target_len = shape
    source_ids = np.full((rows, source_len), PAD_ID, np.int32)
    target_ids = np.full((rows, target_len), PAD_ID, np.int32)
    labels = np.full((rows, target_len), PAD_ID, np.int32)
    weights = np.zeros((rows, target_len), np.float32)
    source_ids[:, 0] = EOS_ID  # empty rows need something to attend to
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        source_ids[row, : len(source)] = source
        target_ids[row, 0] = BOS_ID
        target_ids[row, 1 : len(target) + 1] = target
        labels[row, : len(target)] = target
        labels[row, len(target)] = EOS_ID
        weights[row, : len(target) + 1] = 1.0
    return Batch(source_ids, target_ids, labels, weights, sum(map(len, targets)) + len(targets))
