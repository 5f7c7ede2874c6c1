"""Requests to a search, and its answers. NumPy is loaded only with the first array, pydantic never:
a worker needs none."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from model.errors import ConfigError

if TYPE_CHECKING:
    from model.config import SearchOptions
    from model.search.blocked import BlockedSequences
    from model.types import Float32

FinishReason = Literal["stop", "length"]

#: The largest `top_k` of sampling. To return more takes a graph longer than all the rest of a step.
MAX_TOP_K = 1_000

#: The `beam_size` of decoding "beam" if the caller sets none, unless the model's is larger.
USUAL_BEAM_SIZE = 4


@dataclass(frozen=True)
class SearchRequest:
    """One source to answer.

    Attributes:
        key: identifies the request; unique among those in search.
        source_ids: the ids that the encoder reads, at least one.
        options: options of the search.
        prefix_ids: ids with which every hypothesis begins; no other option applies to them.
        blocked: sequences of ids, none empty, that no hypothesis contains.
        required: sequences of ids, none empty, all of which a hypothesis must contain before it
            may end. They need a beam of at least two; a beam larger than the number of required
            tokens finds better hypotheses. If a required sequence is also blocked, all hypotheses
            are cut.
        with_attention: whether hypotheses have attention weights.
    """

    key: Hashable
    source_ids: Sequence[int]
    options: SearchOptions
    prefix_ids: Sequence[int] = ()
    blocked: Sequence[Sequence[int]] = ()
    required: Sequence[Sequence[int]] = ()
    with_attention: bool = False

    def __post_init__(self) -> None:
        if self.required and (self.options.beam_size < 2 or self.options.temperature > 0):
            raise ConfigError(
                "required words need a beam: beam_size >= 2 and temperature = 0. Received: "
                f"beam_size={self.options.beam_size}, temperature={self.options.temperature:g}"
            )

    @property
    def rows(self) -> int:
        """Returns the number of rows that it takes."""
        return self.options.beam_size

    @property
    def source_length(self) -> int:
        """Returns the length of its source."""
        return len(self.source_ids)

    @cached_property
    def blocked_sequences(self) -> BlockedSequences:
        """Returns `blocked` as arrays."""
        from model.search.blocked import BlockedSequences

        return BlockedSequences.build(self.blocked)

    @property
    def uses_shortlist(self) -> bool:
        """Tells whether a shortlist suffices: no particular token is required."""
        return self.options.shortlist and not self.prefix_ids and not self.required

    @property
    def needs_attention(self) -> bool:
        """Tells whether the search must record its attention weights."""
        return self.with_attention or self.options.coverage_penalty > 0


@dataclass(frozen=True)
class ScoringRequest:
    """Pairs of a source and a target to score. The answer is a hypothesis for each pair, in order,
    whose score is log p(target, end | source).

    Attributes:
        key: identifies the request; unique among those in search.
        pairs: at least one; a source has at least one id, a target has no end-of-sentence id.
        top: number of likeliest tokens in `token_logprobs`; None: hypotheses have none.
    """

    key: Hashable
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
    top: int | None = None

    @property
    def rows(self) -> int:
        """Returns the number of rows that it takes."""
        return len(self.pairs)

    @property
    def source_length(self) -> int:
        """Returns the length of its longest source."""
        return max(len(source_ids) for source_ids, _ in self.pairs)


class ScoredPair(NamedTuple):
    """A pair of a request, given by its index."""

    request: ScoringRequest
    pair_index: int

    @property
    def source_ids(self) -> Sequence[int]:
        """Returns its source."""
        return self.request.pairs[self.pair_index][0]

    @property
    def target_ids(self) -> Sequence[int]:
        """Returns its target."""
        return self.request.pairs[self.pair_index][1]


Request = SearchRequest | ScoringRequest


class TokenLogprob(NamedTuple):
    """A token of a scored target.

    Attributes:
        token: its id.
        logprob: log p(token | source, tokens before), in nats, over the whole vocabulary.
        likeliest: the likeliest tokens that a hypothesis may have there, with their
            log-probabilities, best first.
    """

    token: int
    logprob: float
    likeliest: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Hypothesis:
    """One answer.

    Attributes:
        tokens: target ids without the end-of-sentence id.
        logprob: sum of the log-probabilities of all its tokens, the end included, in nats.
        score: `logprob` after the length and coverage penalties; hypotheses are ordered by it.
        finish_reason: `stop` if it ended by itself, `length` if `max_tokens` cut it or no further
            token was allowed.
        contains_required: whether it contains all required sequences; True for all hypotheses that
            ended by themselves.
        attention_weights: float32 `(tokens, source_len)`, each row sums to 1, with the end of
            sentence last if it ended by itself; only with `with_attention`.
        token_logprobs: one for each token; only of a `ScoringRequest` with `top`.
    """

    tokens: tuple[int, ...]
    logprob: float
    score: float
    finish_reason: FinishReason
    contains_required: bool = True
    attention_weights: Float32 | None = field(default=None, compare=False)
    token_logprobs: tuple[TokenLogprob, ...] = ()

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Returns the sort key of hypotheses, best first: whether they ended by themselves, whether
        they contain all required sequences, and their scores."""
        return self.finish_reason == "length", not self.contains_required, -self.score


#: The key of a request and its hypotheses, best first.
Answer = tuple[Hashable, tuple[Hypothesis, ...]]
