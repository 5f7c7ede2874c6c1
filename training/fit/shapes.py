"""Shapes of batches: the lengths to which examples are padded, so that few shapes are compiled.

TensorFlow traces graphs cheaply, so each side is padded to one of `LENGTHS`. JAX compiles a step
for each shape, which takes seconds to minutes, so it gets a few shapes that are planned for the
corpus with as little padding as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.types import Int32
from training.fit.distribution import COMPILES_STEPS
from training.prepare.shards import Shard

#: Lengths to which sources and targets are padded if no shapes are planned; longer ones are padded
#: to a multiple of the last.
LENGTHS = (4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 192, 256, 384, 512, 768, 1024)
#: Number of planned target lengths, and of source lengths for each: 12 shapes. 3 by 4 and 6 by 2
#: need more padding.
TARGET_LENGTHS, SOURCE_LENGTHS = 4, 3


@dataclass(frozen=True)
class Shapes:
    """Shapes of batches.

    Attributes:
        levels: padded target lengths, each with its padded source lengths, both ascending; none:
            either side is padded to one of `LENGTHS`, whatever the other is.
        rows_multiple: the rows of a batch are a multiple of this.
    """

    levels: tuple[tuple[int, tuple[int, ...]], ...] = ()
    rows_multiple: int = 1

    def pad(self, source_lengths: Int32, target_lengths: Int32) -> tuple[Int32, Int32]:
        """Returns the padded lengths of each example. Lengths beyond all planned ones are padded to
        a multiple of the longest."""
        if not self.levels:
            return _round_up(source_lengths, LENGTHS), _round_up(target_lengths, LENGTHS)
        targets = [target_len for target_len, _ in self.levels]
        level = np.minimum(np.searchsorted(targets, target_lengths), len(targets) - 1)
        padded = np.zeros_like(source_lengths)
        for i, (_, sources) in enumerate(self.levels):
            padded[level == i] = _round_up(source_lengths[level == i], sources)
        return padded, _round_up(target_lengths, targets)

    def rows(self, target_len: int, batch_tokens: int) -> int:
        """Returns the number of examples of `target_len` that fit the token budget, at least one
        per device."""
        multiple = self.rows_multiple
        return max(multiple, batch_tokens // target_len // multiple * multiple)


#: Shapes of a corpus without planned ones.
UNPLANNED = Shapes()


def shapes_for(shard: Shard, rows_multiple: int = 1) -> Shapes:
    """Returns planned shapes for the examples of `shard` if each shape is compiled."""
    return plan_shapes(shard, rows_multiple) if COMPILES_STEPS else UNPLANNED


def plan_shapes(shard: Shard, rows_multiple: int) -> Shapes:
    """Plans at most 12 shapes with little padding for the examples of `shard`."""
    source_lengths, target_lengths = shard.sources.lengths, shard.targets.lengths + 1
    levels, shorter = [], 0
    for target_len in _min_padding_lengths(target_lengths, TARGET_LENGTHS):
        among = (shorter < target_lengths) & (target_lengths <= target_len)
        levels.append((target_len, _min_padding_lengths(source_lengths[among], SOURCE_LENGTHS)))
        shorter = target_len
    return Shapes(tuple(levels), rows_multiple)


def _min_padding_lengths(lengths: Int32, most: int) -> tuple[int, ...]:
    """Returns at most `most` lengths, ascending, to which `lengths` can be padded with the least
    padding, by dynamic programming."""
    values, counts = np.unique(lengths, return_counts=True)
    done = np.concatenate([[0], np.cumsum(counts)])
    # Tokens, with padding, of the examples from the one value to the other: infinite if none.
    tokens = np.concatenate([[0], values]) * (done - done[:, None]).astype(np.float64)
    tokens[np.tril_indices(len(done))] = np.inf
    total = np.where(done == 0, 0.0, np.inf)
    origins = []
    for _ in range(min(most, len(values))):
        totals = total[:, None] + tokens
        origins.append(totals.argmin(axis=0))
        total = totals.min(axis=0)
    chosen, end = [], len(values)
    for origin in reversed(origins):
        chosen.append(int(values[end - 1]))
        end = int(origin[end])
    return tuple(reversed(chosen))


def _round_up(lengths: Int32, sizes: Sequence[int]) -> Int32:
    """Rounds each length up to one of `sizes`, or to a multiple of the last."""
    longest = sizes[-1]
    listed = np.asarray(sizes, np.int32)[np.searchsorted(sizes[:-1], lengths)]
    return np.where(lengths <= longest, listed, -(-lengths // longest) * longest).astype(np.int32)
