"""Re-ranking by maximum mutual information, which prefers answers that are specific to their source
(Li et al. 2016, arXiv:1510.03055). A search finds hypotheses, another model scores them. The two
models need not share a tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from model.config import ModelConfig
from model.errors import ConfigError, InputError
from model.search.beams import length_penalty
from model.search.requests import Hypothesis, ScoringRequest, SearchRequest
from model.tokenizer import EOS_ID, Tokenizer

#: What the other model scores: the source given the target (the paper's MMI-bidi), or the target
#: given an empty source (MMI-antiLM).
Kind = Literal["reverse", "language"]

#: The empty source, from which a model scores a text on its own.
EMPTY_SOURCE: Sequence[int] = (EOS_ID,)

#: Maximum number of tokens that are scored; longer texts are truncated.
MAX_TOKENS = 1023


@dataclass(frozen=True)
class Reranker:
    """Re-ranking in three steps: `widen` the request to the model itself, build the
    `scoring_request` to the re-ranking model, and `rerank` by its scores.

    Attributes:
        kind: `reverse` to score the source given the answer, `language` to score the answer on its
            own.
        own: tokenizer of the model whose answers are re-ranked.
        other: tokenizer of the re-ranking model.
    """

    kind: Kind
    own: Tokenizer
    other: Tokenizer

    def widen(self, request: SearchRequest) -> SearchRequest:
        """Returns `request` with `n_best` set to its beam size, so that all are ranked."""
        options = request.options
        return replace(request, options=options.model_copy(update={"n_best": options.beam_size}))

    def scoring_request(
        self, turns: str | Sequence[str], hypotheses: Sequence[Hypothesis]
    ) -> ScoringRequest:
        """Builds the request that scores `hypotheses`, which answer `turns`."""
        answers = [self.own.target_text(each.tokens) for each in hypotheses]
        if self.kind == "language":
            pairs = [(EMPTY_SOURCE, self._target_ids(answer)) for answer in answers]
        else:
            message = self._target_ids(turns if isinstance(turns, str) else turns[-1])
            pairs = [(self._source_ids(answer), message) for answer in answers]
        return ScoringRequest(None, pairs)

    def rerank(
        self,
        request: SearchRequest,
        hypotheses: Sequence[Hypothesis],
        scored: Sequence[Hypothesis],
    ) -> tuple[Hypothesis, ...]:
        """Returns the `n_best` of `hypotheses`; `scored` is the answer to `scoring_request`."""
        options = request.options
        found = reranked(
            hypotheses,
            [each.logprob for each in scored],
            kind=self.kind,
            weight=options.rerank_weight,
            alpha=options.length_penalty,
        )
        return found[: options.n_best]

    def _source_ids(self, answer: str) -> Sequence[int]:
        with suppress(InputError):  # it has no text
            return self.other.source_ids(answer)
        return EMPTY_SOURCE

    def _target_ids(self, text: str) -> Sequence[int]:
        return self.other.target_ids(text)[:MAX_TOKENS]


def reranked(
    hypotheses: Sequence[Hypothesis],
    logprobs: Sequence[float],
    *,
    kind: Kind,
    weight: float,
    alpha: float,
) -> tuple[Hypothesis, ...]:
    """Returns `hypotheses` with new scores, in the new order.

    With `reverse`, the score is `score + weight * logprob(source | target)`; the source is the same
    for all. With `language`, it is `score - weight * logprob(target) / length_penalty(tokens)`,
    normalised like a score, so that no length is favoured.

    Args:
        hypotheses: the hypotheses of one source.
        logprobs: the other model's score of each hypothesis, in nats.
        kind: what the other model scores.
        weight: weight of the other model's scores, >= 0; 0 changes nothing.
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


def reranking_kind(model: ModelConfig, other: ModelConfig) -> Kind:
    """Returns how `other` can score the answers of `model`.

    Raises:
        ConfigError: if it cannot, because its task or languages differ.
    """
    if model.task != other.task:
        raise ConfigError(
            f"a model of task '{other.task}' cannot re-rank one of task '{model.task}'"
        )
    if model.task == "translate" and model.languages[::-1] == other.languages:
        return "reverse"
    if model.languages != other.languages:
        raise ConfigError(
            f"a model of the languages {list(other.languages)} cannot re-rank one of "
            f"{list(model.languages)}"
        )
    return "reverse" if model.reverse != other.reverse else "language"
