"""Constraints on the next token: the options that forbid tokens or make them less likely.

They work on the few likeliest tokens that an engine returns, and know in advance how many more are
needed to get the same result as over the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from model.search.beams import (
    BLOCKED,
    MIN_TOKENS,
    NGRAMS,
    PREFIX,
    REPETITION,
    OptionsTable,
    all_features,
)
from model.search.blocked import BlockedBatch, BlockedTokens
from model.search.requests import SearchRequest
from model.types import Bool, Float32, Float64, Indices, Int32

#: Features that depend on the history.
_OF_HISTORIES = BLOCKED | MIN_TOKENS | NGRAMS | REPETITION | PREFIX


@dataclass(frozen=True)
class Histories:
    """The tokens of the hypotheses so far, one hypothesis per row.

    Attributes:
        tokens: int32 `(rows, at least 1)`; the tokens of a row are the first `lengths`.
        lengths: int32 `(rows,)`, number of tokens.
        last: int32 `(rows,)`, the last token; any token in an empty row.
        requests: `(rows,)`, the index of the request.
    """

    tokens: Int32
    lengths: Int32
    last: Int32
    requests: Indices


@dataclass(frozen=True)
class RowTokens:
    """A set of (row, token)."""

    rows: Indices
    tokens: Int32

    @classmethod
    def union(cls, parts: Iterable[RowTokens]) -> RowTokens:
        """Returns the pairs of all `parts`."""
        rows, tokens = [np.zeros(0, np.intp)], [np.zeros(0, np.int32)]
        for part in parts:
            rows.append(part.rows)
            tokens.append(part.tokens)
        return cls(np.concatenate(rows), np.concatenate(tokens))

    @property
    def max_per_row(self) -> int:
        """Returns the largest number of tokens in any row."""
        return int(np.bincount(self.rows).max(initial=0))

    def contains(self, candidates: Int32) -> Bool:
        """Tells which of `candidates` `(rows, n)` are in the set."""
        found = np.zeros(candidates.shape, bool)
        which, place = np.nonzero(candidates[self.rows] == self.tokens[:, None])
        found[self.rows[which], place] = True
        return found


@dataclass(frozen=True)
class StepConstraints:
    """Constraints on the candidates of one step, one row per hypothesis.

    Attributes:
        eos_id: the end token, which is allowed if nothing else is.
        blocked_ids: tokens that are forbidden in every row.
        is_eos_too_early: bool `(rows,)`, whether the end token is still forbidden.
        blocked: tokens that are forbidden whatever the history.
        forbidden: tokens that are forbidden after the history of a row.
        repeated: tokens whose log-probability is multiplied by `repetition_penalty` `(rows,)`.
        forced: int32 `(rows,)`, the only allowed token, -1 if all are allowed.
    """

    eos_id: int
    blocked_ids: tuple[int, ...]
    is_eos_too_early: Bool | None = None
    blocked: BlockedTokens | None = None
    forbidden: RowTokens | None = None
    repeated: RowTokens | None = None
    repetition_penalty: Float64 | None = None
    forced: Int32 | None = None

    @cached_property
    def extra_candidates(self) -> int:
        """Returns how many of the likeliest tokens may be forbidden or overtaken, which is how many
        more of them the search needs."""
        some = (self.blocked, self.forbidden, self.repeated)
        in_every_row = len(self.blocked_ids) + (self.is_eos_too_early is not None)
        return in_every_row + sum(each.max_per_row for each in some if each)

    def likeliest(self, candidates: Int32, logprobs: Float32) -> tuple[Int32, Float64]:
        """Returns the best candidate of each row and its log-probability, `(rows,)` each; in a tie,
        the first one. `candidates` `(rows, n)` are sorted, best first."""
        first = candidates[:, 0].copy()
        if not self._may_exclude(first):
            return first, logprobs[:, 0].astype(np.float64)
        if self.repeated is None and self.forced is None:
            is_out = self._excluded(candidates)
            if (is_forbidden := self._forbidden(candidates)) is not None:
                is_out |= is_forbidden
            if not is_out[:, 0].any():
                return first, logprobs[:, 0].astype(np.float64)
            # The first candidate that is not excluded.
            best = np.arange(len(is_out)), is_out.argmin(axis=1)
            found = logprobs[best].astype(np.float64)
            if not is_out[best].any() and np.isfinite(found).all():
                return candidates[best], found
        constrained = self.apply(candidates, logprobs)
        best = np.arange(len(constrained)), constrained.argmax(axis=1)
        return candidates[best], constrained[best]

    def _may_exclude(self, first: Int32) -> bool:
        """Tells whether the likeliest candidates `(rows,)` may be forbidden or overtaken."""
        if self._depend_on_rows:
            return True
        return any(np.count_nonzero(first == token) for token in self.blocked_ids)

    @cached_property
    def _depend_on_rows(self) -> bool:
        of_rows = (self.is_eos_too_early, self.blocked, self.forbidden, self.repeated, self.forced)
        return any(each is not None for each in of_rows)

    def apply(self, candidates: Int32, logprobs: Float32) -> Float64:
        """Returns the `logprobs` `(rows, n)` of `candidates`, -inf for forbidden ones."""
        constrained = logprobs.astype(np.float64)
        if self.repeated is not None and self.repetition_penalty is not None:
            penalty = np.where(
                self.repeated.contains(candidates), self.repetition_penalty[:, None], 1.0
            )
            constrained *= penalty
        np.putmask(constrained, self._excluded(candidates), -np.inf)
        if (is_forbidden := self._forbidden(candidates)) is not None:
            np.putmask(constrained, is_forbidden, -np.inf)
            stuck = ~np.isfinite(constrained).any(axis=1) & is_forbidden.any(axis=1)
            if stuck.any():
                constrained[stuck] = np.where(candidates == self.eos_id, logprobs, -np.inf)[stuck]
        if self.forced is not None:
            forced = self.forced[:, None]
            forced_logprobs = np.where(candidates == forced, logprobs, -np.inf)
            constrained = np.where(forced >= 0, forced_logprobs, constrained)
        return constrained

    def _excluded(self, candidates: Int32) -> Bool:
        """Tells which candidates are forbidden in every row or end the hypothesis too early."""
        is_out = np.zeros(candidates.shape, bool)
        for token in self.blocked_ids:
            is_out |= candidates == token
        if self.is_eos_too_early is not None:
            is_out |= (candidates == self.eos_id) & self.is_eos_too_early[:, None]
        return is_out

    def _forbidden(self, candidates: Int32) -> Bool | None:
        """Tells which candidates are forbidden in their own rows; None: none are."""
        found = [each.contains(candidates) for each in (self.blocked, self.forbidden) if each]
        return np.logical_or.reduce(found) if len(found) > 1 else found[0] if found else None


class TokenConstraints:
    """The token constraints of several requests. Constraints that no request uses cost nothing.

    Args:
        requests: the requests, in the order of `Histories.requests`.
        options: `(G,)`, their options.
        eos_id: the token that ends a hypothesis.
        blocked_ids: tokens that no hypothesis may contain, such as the unknown word.
    """

    def __init__(
        self,
        requests: Sequence[SearchRequest],
        options: OptionsTable,
        *,
        eos_id: int,
        blocked_ids: Collection[int] = (),
    ) -> None:
        features = all_features(options)
        self._features = features & _OF_HISTORIES
        self._constant = StepConstraints(eos_id, tuple(blocked_ids))
        if features & NGRAMS:
            self._ngrams = options["no_repeat_ngram"]
            self._lengths_of_ngrams = sorted({*self._ngrams.tolist()} - {0})
        if features & BLOCKED:
            self._blocked = BlockedBatch([each.blocked_sequences for each in requests])
        if features & PREFIX:
            self._prefixes = _prefixes(requests)
        self._min_tokens = options["min_tokens"]
        self._repetition_penalty = options["repetition_penalty"]

    def at_step(self, get_histories: Callable[[], Histories]) -> StepConstraints:
        """Returns the constraints on the next token; calls `get_histories` only if needed."""
        features = self._features
        if not features:
            return self._constant
        histories = get_histories()
        found = [*self._ends_of_ngrams(histories)] if features & NGRAMS else []
        if features & BLOCKED:
            found += self._ends_of_blocked(histories)
        if not found and not features & ~NGRAMS:
            return self._constant
        return replace(
            self._constant,
            is_eos_too_early=self._too_early(histories) if features & MIN_TOKENS else None,
            blocked=self._blocked.singles(histories.requests) if features & BLOCKED else None,
            forbidden=RowTokens.union(found) if found else None,
            forced=self._forced(histories) if features & PREFIX else None,
            repeated=self._repeated(histories) if features & REPETITION else None,
            repetition_penalty=(
                self._repetition_penalty[histories.requests] if features & REPETITION else None
            ),
        )

    def _forced(self, histories: Histories) -> Int32 | None:
        """Returns the next token of each prefix, or None if all prefixes are complete."""
        longest = self._prefixes.shape[1]
        within = histories.lengths < longest
        if not within.any():
            return None
        forced = np.full(len(histories.lengths), -1, np.int32)
        forced[within] = self._prefixes[histories.requests[within], histories.lengths[within]]
        return forced

    def _too_early(self, histories: Histories) -> Bool | None:
        """Tells which rows have fewer than `min_tokens`; None: none have."""
        early: Bool = histories.lengths < self._min_tokens[histories.requests]
        return early if early.any() else None

    def _ends_of_ngrams(self, histories: Histories) -> Iterator[RowTokens]:
        """Yields the tokens that followed earlier occurrences of the last n - 1 tokens."""
        tokens, lengths = histories.tokens, histories.lengths
        own = self._ngrams[histories.requests]
        rows, places = np.nonzero(tokens == histories.last[:, None])
        is_earlier = places < lengths[rows] - 1
        for n in self._lengths_of_ngrams:
            if n == 1:
                inside = np.arange(tokens.shape[1]) < np.where(own == 1, lengths, 0)[:, None]
                again, last = np.nonzero(inside)
                yield RowTokens(again, tokens[again, last])
                continue
            fits = is_earlier & (places >= n - 2) & (own[rows] == n)
            again, last = rows[fits], places[fits]
            for back in range(1, n - 1):
                fits = tokens[again, last - back] == tokens[again, lengths[again] - 1 - back]
                again, last = again[fits], last[fits]
            if again.size:
                yield RowTokens(again, tokens[again, last + 1])

    def _ends_of_blocked(self, histories: Histories) -> Iterator[RowTokens]:
        """Yields the last token of each blocked sequence whose other tokens end the history."""
        rows, tokens = self._blocked.completions(
            histories.tokens, histories.lengths, histories.last, histories.requests
        )
        if rows.size:
            yield RowTokens(rows, tokens)

    def _repeated(self, histories: Histories) -> RowTokens:
        """Returns every token of the history, in rows with a repetition penalty."""
        costly = self._repetition_penalty[histories.requests] != 1.0
        places = np.arange(histories.tokens.shape[1])
        own = places < histories.lengths[:, None]
        rows, columns = np.nonzero(own & costly[:, None])
        return RowTokens(rows, histories.tokens[rows, columns])


def _prefixes(requests: Sequence[SearchRequest]) -> Int32:
    """Returns the prefixes `(requests, longest)`, -1 after the end of each."""
    longest = max((len(request.prefix_ids) for request in requests), default=0)
    prefixes = np.full((len(requests), longest), -1, np.int32)
    if longest:
        for place, request in enumerate(requests):
            prefixes[place, : len(request.prefix_ids)] = request.prefix_ids
    return prefixes
