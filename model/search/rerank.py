"""Maximum mutual information: answers that fit their source and not just any (Li et al. 2016,
arXiv:1510.03055). A search finds hypotheses, another model scores them, and their order changes.

Works on ids; knows neither text nor which model is which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from model.search.options_table import length_penalty
from model.search.requests import Hypothesis

#: What the other model scores: the source given the target (the paper's MMI-bidi), or the target
#: given an empty source (MMI-antiLM).
Kind = Literal["reverse", "language"]


def reranked(
    hypotheses: Sequence[Hypothesis],
    logprobs: Sequence[float],
    *,
    kind: Kind,
    weight: float,
    alpha: float,
) -> tuple[Hypothesis, ...]:
    """Returns `hypotheses` in a new order, with new scores.

    With `reverse`, `score + weight * logprob(source | target)`: the source is the same for all.
    With `language`, `score - weight * logprob(target) / length_penalty(tokens)`, divided as a score
    itself is, so that no length is favoured.

    Args:
        hypotheses: what a search found for one source.
        logprobs: the other model's score of each, in nats.
        kind: what the other model scores.
        weight: of the other model's scores, >= 0; 0 changes nothing.
        alpha: the length penalty of the search.
    """
    other = np.array(logprobs)
    if kind == "language":
        ends = [each.finish_reason == "stop" for each in hypotheses]
        lengths = np.array([len(each.tokens) for each in hypotheses], np.int32) + ends
        other = -other / length_penalty(lengths, alpha)
    scores = [each.score for each in hypotheses] + weight * other
    scored = [
        replace(each, score=float(score)) for each, score in zip(hypotheses, scores, strict=True)
    ]
    return tuple(sorted(scored, key=lambda each: each.rank))
