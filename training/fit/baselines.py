"""Baselines that a model beats only if it has learnt from its sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from model.tokenizer import EOS_ID
from model.types import Float64
from training.prepare.shards import Shard

#: A loss must be below the unigram entropy by at least this share to count as better.
MIN_GAIN = 0.02
#: Maximum excess of the share of an answer over its share of the references.
MAX_OVERUSE = 0.1
#: Answers that occur less often are not suspicious, since a small sample has few of each.
MIN_REPEATED = 3


def unigram_logprobs(train: Shard, vocab_size: int) -> Float64:
    """Returns the log-probability of each token by its frequency in the targets of `train`, in
    nats, `(vocab_size,)`.

    Ends of sentence are counted. Half an occurrence is added to each token (Krichevsky and Trofimov
    1981), so that tokens that do not occur in `train` have a probability too.
    """
    counts = _token_counts(train, vocab_size) + 0.5
    return np.log(counts / counts.sum())


def unigram_entropy(train: Shard, shard: Shard, vocab_size: int) -> float:
    """Returns the cross-entropy of the targets of `shard` under the token frequencies of `train`,
    in nats a token: the loss of a model that knows only how frequent each token is."""
    found = _token_counts(shard, vocab_size)
    return float(-(found * unigram_logprobs(train, vocab_size)).sum() / found.sum())


def describe_loss(part: str, loss: float, entropy: float) -> list[str]:
    """Returns a warning if the loss of a split is no better than its unigram entropy."""
    if loss < entropy * (1.0 - MIN_GAIN):
        return []
    return [
        f"warning: the {part} loss {loss:.4f} is no better than the unigram entropy "
        f"{entropy:.4f}: the model knows only word frequencies, and nothing about the sources yet. "
        "If this persists, train for more steps (more epochs, or a smaller batch_tokens), or try "
        "another learning_rate."
    ]


def describe_overuse(texts: Sequence[str], references: Sequence[str]) -> list[str]:
    """Returns a warning if the share of the most frequent of `texts` is far above its share of
    `references`."""
    [(text, count)] = Counter(texts).most_common(1)
    share = count / len(texts)
    expected = references.count(text) / len(references)
    if count < MIN_REPEATED or share - expected <= MAX_OVERUSE:
        return []
    answer = f"the same: {text!r}" if text.strip() else "empty"
    return [
        f"warning: {share:.0%} of {len(texts):,} sampled answers are {answer}. The model has "
        "hardly learnt from its sources. Train for more steps (more epochs, or a smaller "
        "batch_tokens), or on more examples."
    ]


def _token_counts(shard: Shard, vocab_size: int) -> Float64:
    counts = shard.targets.counts(vocab_size).astype(np.float64)
    counts[EOS_ID] += len(shard)
    return counts
