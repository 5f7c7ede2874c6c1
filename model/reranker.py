"""Maximum mutual information: answers that fit their source and not just any (Li et al. 2016,
arXiv:1510.03055). A search finds hypotheses, another model scores them, and their order changes.
The two need not share a tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from model.config import ModelConfig
from model.errors import ConfigError, InputError
from model.search.options_table import length_penalty
from model.search.requests import Hypothesis, ScoringRequest, SearchRequest
from model.tokenizer import EOS_ID, Tokenizer

#: What the other model scores: the source given the target (the paper's MMI-bidi), or the target
#: given an empty source (MMI-antiLM).
Kind = Literal["reverse", "language"]

#: The source that a model reads to score a text by itself.
NOTHING: Sequence[int] = (EOS_ID,)

#: Tokens of a text that are scored; of a longer one the beginning counts.
MOST_TOKENS = 1023


@dataclass(frozen=True)
class Reranker:
    """The three passes of a re-ranked answer: `widened` is for the model itself, `scoring` for the
    other one, and `reranked` ranks.

    Attributes:
        kind: `reverse` if it scores the source given the answer, `language` if it scores the answer
            by itself.
        own: the tokenizer of the model whose answers are re-ranked.
        other: that of the model that re-ranks.
    """

    kind: Kind
    own: Tokenizer
    other: Tokenizer

    def widened(self, request: SearchRequest) -> SearchRequest:
        """Returns `request` for as many hypotheses as its beam has: all of them are ranked."""
        options = request.options
        return replace(request, options=options.model_copy(update={"n_best": options.beam_size}))

    def scoring(
        self, turns: str | Sequence[str], hypotheses: Sequence[Hypothesis]
    ) -> ScoringRequest:
        """Builds the other model's request for `hypotheses`, which answer `turns`."""
        answers = [self.own.target_text(each.tokens) for each in hypotheses]
        if self.kind == "language":
            pairs = [(NOTHING, self._target_ids(answer)) for answer in answers]
        else:
            message = self._target_ids(turns if isinstance(turns, str) else turns[-1])
            pairs = [(self._source_ids(answer), message) for answer in answers]
        return ScoringRequest(None, pairs)

    def reranked(
        self,
        request: SearchRequest,
        hypotheses: Sequence[Hypothesis],
        scored: Sequence[Hypothesis],
    ) -> tuple[Hypothesis, ...]:
        """Returns the `n_best` of `hypotheses`; `scored` is the answer to `scoring`."""
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
        return NOTHING

    def _target_ids(self, text: str) -> Sequence[int]:
        return self.other.target_ids(text)[:MOST_TOKENS]


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


def kind_of_reranking(model: ModelConfig, other: ModelConfig) -> Kind:
    """Returns what `other` can score of the answers of `model`.

    Raises:
        ConfigError: if it is nothing: another task, other languages.
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
