"""Shortlists: for each source token, the target tokens that are likely translations of it.

The translation table is that of IBM Model 1: t(target token | source token).

The words that a shortlist leaves out have little probability where the network is sure, and a
third of it where it is not. Without them, unsure hypotheses would look better than they are.
"""

from __future__ import annotations

import numpy as np
from keras import ops

from model.engine.shortlist import Shortlist
from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import BOS_ID, EOS_ID
from model.types import Array, Int32, Int64
from training.export.calibration import Ranges
from training.export.linear import array
from training.export.projection import shortlist_columns
from training.prepare.shards import Shard, evenly_spaced, padded
from training.word_pairs import model1

#: The most pairs of a source and a target token that are counted; beyond, examples are sampled.
MAX_LINKS = 12_000_000
#: Target tokens proposed for a source token, and the share of a shortlist that all sources share.
PROPOSALS, ALWAYS_SHARE = 64, 0.25
#: Examples from whose steps the probability of the words that are left out is learnt, and how many
#: are read together.
LEARNT, TOGETHER = 512, 32


def build_shortlist(network: TokenSeq2Seq, train: Shard, size: int, ranges: Ranges) -> Shortlist:
    """Builds a shortlist of `size` candidates for each source from the training split."""
    always = int(size * ALWAYS_SHARE)
    sources, targets = _sample_examples(train)
    vocab_size = network.config.target_vocab_size
    counts = np.bincount(np.concatenate(targets), minlength=vocab_size)
    counts[EOS_ID] = counts.max() + 1
    frequent = np.argsort(-counts, kind="stable").astype(np.int32)
    proposals = list_proposals(sources, targets, network.config.source_vocab_size, frequent, always)
    unknown = np.zeros(network.decoder.readout_units), 0.0
    columns = shortlist_columns(network, ranges, unknown)
    shortlist = Shortlist(frequent, proposals, always, size, **columns)
    columns = shortlist_columns(network, ranges, estimate_others(network, train, shortlist))
    return Shortlist(frequent, proposals, always, size, **columns)


def estimate_others(
    network: TokenSeq2Seq, train: Shard, shortlist: Shortlist
) -> tuple[Array, float]:
    """Fits a linear function of the readout to the logsumexp of the words that `shortlist` leaves
    out, on steps of the training split. Returns its weights `(readout_units,)` and bias."""
    chosen = evenly_spaced(len(train), LEARNT)
    examples = list(zip(train.sources.take(chosen), train.targets.take(chosen), strict=True))
    readouts, left_out = [], []
    for start in range(0, len(examples), TOGETHER):
        sources, targets = zip(*examples[start : start + TOGETHER], strict=True)
        inputs = {
            "source_ids": padded(sources),
            "target_ids": padded([np.append(np.int32(BOS_ID), target) for target in targets]),
        }
        rows = network.readouts({name: ops.convert_to_tensor(ids) for name, ids in inputs.items()})
        logits = array(network.projection(ops.cast(rows, "float32")))
        for row, source, target, scores in zip(array(rows), sources, targets, logits, strict=True):
            steps = len(target) + 1
            are_others = np.ones(scores.shape[1], bool)
            are_others[shortlist.tokens(source)[:-1]] = False
            readouts.append(row[:steps])
            left_out.append(np.logaddexp.reduce(scores[:steps, are_others], axis=1))
    known = np.concatenate(readouts)
    known = np.column_stack([known, np.ones(len(known))])
    weights, *_ = np.linalg.lstsq(known, np.concatenate(left_out))
    return weights[:-1], float(weights[-1])


def _sample_examples(train: Shard) -> tuple[list[Int32], list[Int32]]:
    """Returns sources and targets of evenly spaced examples, as many as `MAX_LINKS` allows."""
    links = train.sources.lengths.astype(np.int64) * train.targets.lengths
    count = int(len(links) * min(1.0, MAX_LINKS / max(links.sum(), 1)))
    chosen = evenly_spaced(len(links), max(count, 1))
    return train.sources.take(chosen), train.targets.take(chosen)


def list_proposals(
    sources: list[Int32],
    targets: list[Int32],
    source_vocab_size: int,
    frequent: Int32,
    always: int,
) -> Int32:
    """Returns `(source_vocab_size, PROPOSALS)`: for each source token its likeliest target tokens
    that are not among the `always` most frequent ones, filled up with the most frequent."""
    pairs, probabilities = translation_table(sources, targets, len(frequent))
    is_common = np.zeros(len(frequent), bool)
    is_common[frequent[:always]] = True
    rare = ~is_common[pairs % len(frequent)]
    source, target = np.divmod(pairs[rare], len(frequent))
    order = np.lexsort((-probabilities[rare], source))
    source, target = source[order], target[order]
    first = np.searchsorted(source, source)
    rank = np.arange(len(source)) - first
    is_kept = rank < PROPOSALS
    proposals = np.full((source_vocab_size, PROPOSALS), frequent[0], np.int32)
    proposals[source[is_kept], rank[is_kept]] = target[is_kept]
    return proposals


def translation_table(
    sources: list[Int32], targets: list[Int32], vocab_size: int
) -> tuple[Int64, Array]:
    """Returns every pair that occurs in an example, as `source * vocab_size + target`, ascending,
    and its t(target | source)."""
    links = [
        (source.astype(np.int64) * vocab_size + target[:, None]).ravel()
        for source, target in zip(sources, targets, strict=True)
    ]  # for each target token, all source tokens of its example
    repeats = np.concatenate(
        [np.full(len(t), len(s)) for s, t in zip(sources, targets, strict=True)]
    )
    pairs, indices = np.unique(np.concatenate(links), return_inverse=True)
    target_words = np.repeat(np.arange(len(repeats)), repeats)  # of each link
    return pairs, model1(target_words, indices, pairs // vocab_size)
