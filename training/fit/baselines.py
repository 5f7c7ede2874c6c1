"""What a model must beat to have learnt anything of its sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.tokenizer import EOS_ID
from training.prepare.shards import Shard

#: A loss must be lower than the unigram entropy by this share to count as better.
LEAST_GAIN = 0.02
#: So many more of the answers than of the references may be one and the same text.
MOST_OVERUSE = 0.1
#: An answer that comes less often is not suspicious: a small sample has few of each.
LEAST_REPEATED = 3


def unigram_logprobs(train: Shard, vocab_size: int) -> NDArray[np.float64]:
    """The log-probability of each token by its frequency in the targets of `train`, in nats,
    `(vocab_size,)`.

    Ends of sentence are counted. Half an occurrence is added to each token (Krichevsky and
    Trofimov 1981), so that one that `train` lacks has a probability too.
    """
    counts = _token_counts(train, vocab_size) + 0.5
    return np.log(counts / counts.sum())


def unigram_entropy(train: Shard, shard: Shard, vocab_size: int) -> float:
    """Cross-entropy of the targets of `shard` under the token frequencies of `train`, in nats a
    token: the loss of a model that knows how frequent each token is and nothing else."""
    found = _token_counts(shard, vocab_size)
    return float(-(found * unigram_logprobs(train, vocab_size)).sum() / found.sum())


def beats_unigrams(loss: float, entropy: float) -> bool:
    """Whether a model of that loss knows more than the frequencies of tokens."""
    return loss < entropy * (1.0 - LEAST_GAIN)


def describe_loss(part: str, loss: float, entropy: float) -> list[str]:
    """A warning for people if the loss of that part of the corpus is no better than its unigram
    entropy, else nothing."""
    if beats_unigrams(loss, entropy):
        return []
    return [
        f"warning: the {part} loss {loss:.4f} is no better than the unigram entropy "
        f"{entropy:.4f}: the model knows how frequent words are, and nothing of the sources yet. "
        "If this goes on, train for more steps (more epochs, or a smaller batch_tokens), or try "
        "another learning_rate."
    ]


def overused_answer(texts: Sequence[str], references: Sequence[str]) -> tuple[str, float] | None:
    """The most frequent of `texts`, and its share of them, if that is far above its share of
    `references`; None if the answers differ as they should."""
    (text, count), *_ = Counter(texts).most_common(1)
    share = count / len(texts)
    expected = references.count(text) / len(references)
    is_overused = count >= LEAST_REPEATED and share - expected > MOST_OVERUSE
    return (text, share) if is_overused else None


def describe_overuse(texts: Sequence[str], references: Sequence[str]) -> list[str]:
    """A warning for people if an answer is overused, else nothing."""
    found = overused_answer(texts, references)
    if found is None:
        return []
    text, share = found
    answer = f"the same: {text!r}" if text.strip() else "empty"
    return [
        f"warning: {share:.0%} of {len(texts):,} sampled answers are {answer}. The model has "
        "hardly learnt from its sources. Train for more steps (more epochs, or a smaller "
        "batch_tokens), or on more examples."
    ]


def _token_counts(shard: Shard, vocab_size: int) -> NDArray[np.float64]:
    counts = shard.target_counts(vocab_size).astype(np.float64)
    counts[EOS_ID] += len(shard)
    return counts
