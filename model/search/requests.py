"""Requests to a search, and its answers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from model.config import SearchOptions
from model.errors import ConfigError
from model.search.blocked import BlockedSequences
from model.types import Float32

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class SearchRequest:
    """One source to answer.

    Attributes:
        key: names the request; unique among those in search.
        source_ids: what the encoder reads, at least one id.
        options: how to search.
        prefix_ids: what every hypothesis begins with; no other option applies to it.
        blocked: sequences of ids, none empty, that no hypothesis contains.
        required: sequences of ids, none empty, all of which a hypothesis must contain before it
            may end. They need a beam of at least two; one that is larger than the number of
            required tokens finds better ones. If a required sequence is blocked too, all
            hypotheses are cut.
        wants_attention: whether hypotheses have attention weights.
    """

    key: Hashable
    source_ids: Sequence[int]
    options: SearchOptions
    prefix_ids: Sequence[int] = ()
    blocked: Sequence[Sequence[int]] = ()
    required: Sequence[Sequence[int]] = ()
    wants_attention: bool = False

    def __post_init__(self) -> None:
        if self.required and (self.options.beam_size < 2 or self.options.temperature > 0):
            raise ConfigError(
                "required words need a beam: beam_size >= 2 and temperature = 0. Received: "
                f"beam_size={self.options.beam_size}, temperature={self.options.temperature:g}"
            )

    @property
    def rows(self) -> int:
        """Returns the number of rows that it may fill."""
        return self.options.beam_size

    @property
    def source_length(self) -> int:
        """Returns the length of its source."""
        return len(self.source_ids)

    @cached_property
    def blocked_sequences(self) -> BlockedSequences:
        """Returns `blocked` as arrays."""
        return BlockedSequences.of(self.blocked)

    @property
    def uses_shortlist(self) -> bool:
        """Tells whether likely words are enough: no particular word is needed."""
        return self.options.shortlist and not self.prefix_ids and not self.required

    @property
    def follows_attention(self) -> bool:
        """Tells whether the search must keep its attention weights."""
        return self.wants_attention or self.options.coverage_penalty > 0


@dataclass(frozen=True)
class ScoringRequest:
    """Pairs of a source and a target. The answer is a hypothesis for each, in their order, whose
    score is log p(target, end | source).

    Attributes:
        key: names the request; unique among those in search.
        pairs: at least one; a source has at least one id, a target has no end of sentence.
    """

    key: Hashable
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]]

    @property
    def rows(self) -> int:
        """Returns the number of rows that it may fill."""
        return len(self.pairs)

    @property
    def source_length(self) -> int:
        """Returns the length of its longest source."""
        return max(len(source_ids) for source_ids, _ in self.pairs)


class ScoredPair(NamedTuple):
    """A pair of a request, by its place."""

    request: ScoringRequest
    place: int

    @property
    def source_ids(self) -> Sequence[int]:
        """Returns its source."""
        return self.request.pairs[self.place][0]

    @property
    def target_ids(self) -> Sequence[int]:
        """Returns its target."""
        return self.request.pairs[self.place][1]


Request = SearchRequest | ScoringRequest


@dataclass(frozen=True)
class Hypothesis:
    """One answer.

    Attributes:
        tokens: target ids without the end-of-sentence id.
        logprob: sum of the log-probabilities of all its tokens, the end included, in nats.
        score: `logprob` after the length and coverage penalties; hypotheses are ordered by it.
        finish_reason: `stop` if it ended itself, `length` if `max_tokens` cut it, or if no token
            was allowed any more.
        holds_required: whether it contains all required sequences; True for all that ended
            themselves.
        attention_weights: float32 `(tokens, source_len)`, each row sums to 1, the end of sentence
            last if it ended itself; only with `wants_attention`.
    """

    tokens: tuple[int, ...]
    logprob: float
    score: float
    finish_reason: FinishReason
    holds_required: bool = True
    attention_weights: Float32 | None = field(default=None, compare=False)

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Returns the key that sorts hypotheses, the best first: by whether they ended themselves,
        whether they contain all required sequences, and their scores."""
        return self.finish_reason == "length", not self.holds_required, -self.score


#: The key of a request, and what was found for it, best hypothesis first.
Answer = tuple[Hashable, tuple[Hypothesis, ...]]
