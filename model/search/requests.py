"""What a search is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.config import SearchOptions

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class SearchRequest:
    """One source to answer.

    Attributes:
        key: names the request; unique among those in search.
        source_ids: what the encoder reads, at least one id.
        options: how to search.
        prefix_ids: what every hypothesis begins with; no other option applies to it.
        blocked: sequences of ids, none empty, that no hypothesis may hold.
        wants_attention: whether hypotheses tell their attention weights.
    """

    key: Hashable
    source_ids: Sequence[int]
    options: SearchOptions
    prefix_ids: Sequence[int] = ()
    blocked: Sequence[Sequence[int]] = ()
    wants_attention: bool = False

    @property
    def follows_attention(self) -> bool:
        """Whether the search must keep its attention weights."""
        return self.wants_attention or self.options.coverage_penalty > 0


@dataclass(frozen=True)
class Hypothesis:
    """One answer.

    Attributes:
        tokens: target ids without the end-of-sentence id.
        logprob: sum of the log-probabilities of all its tokens, the end included, in nats.
        score: `logprob` after the length and coverage penalties; hypotheses are ordered by it.
        finish_reason: `stop` if it ended itself, `length` if `max_tokens` cut it.
        attention_weights: float32 `(tokens, source_len)`, each row sums to 1, the end of sentence
            last if it ended itself; None unless asked for.
    """

    tokens: tuple[int, ...]
    logprob: float
    score: float
    finish_reason: FinishReason
    attention_weights: NDArray[np.float32] | None = field(default=None, compare=False)
