"""What may be said next, and what is discouraged: the options that change a token's chances.

All of it works on the few likeliest tokens that an engine tells, and says beforehand how many more
it must tell, so that the outcome is that over the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.search.requests import SearchRequest

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

#: More tokens than any vocabulary has.
EVERY_TOKEN = 2**30


@dataclass(frozen=True)
class Histories:
    """What the live hypotheses have said, one a row.

    Attributes:
        tokens: int32 `(rows, longest)`; a row's own tokens stand at the right.
        lengths: int32 `(rows,)`, how many they are.
        requests: `(rows,)`, the place of the request that each belongs to.
    """

    tokens: Ints
    lengths: Ints
    requests: NDArray[np.intp]


@dataclass(frozen=True)
class Pairs:
    """A set of (row, token)."""

    rows: NDArray[np.intp]
    tokens: Ints

    @classmethod
    def union(cls, parts: Iterable[Pairs]) -> Pairs:
        """Pairs that are in any of `parts`."""
        rows, tokens = [np.zeros(0, np.intp)], [np.zeros(0, np.int32)]
        for part in parts:
            rows.append(part.rows)
            tokens.append(part.tokens)
        return cls(np.concatenate(rows), np.concatenate(tokens))

    @property
    def most_in_a_row(self) -> int:
        """No row has more tokens than this."""
        return int(np.bincount(self.rows).max(initial=0))

    def among(self, candidates: Ints) -> NDArray[np.bool_]:
        """Which of `candidates` `(rows, n)` are in the set."""
        own = np.arange(len(candidates), dtype=np.int64)[:, None] << 32
        return np.isin(own | candidates, (self.rows.astype(np.int64) << 32) | self.tokens)


@dataclass(frozen=True)
class Verdict:
    """What one step's candidates are held against, one row for each live hypothesis. None: nothing.

    Attributes:
        eos_id: comes where nothing else may.
        blocked_ids: what must not come anywhere.
        too_early: bool `(rows,)`, whether the end must not come.
        forbidden: what must not come.
        repeated: whose log-probability is multiplied by `repetition_penalty` `(rows,)`.
        forced: int32 `(rows,)`, the only token that may come, -1 where any may.
    """

    eos_id: int
    blocked_ids: tuple[int, ...]
    too_early: NDArray[np.bool_] | None = None
    forbidden: Pairs | None = None
    repeated: Pairs | None = None
    repetition_penalty: Floats | None = None
    forced: Ints | None = None

    @property
    def reach(self) -> int:
        """How many tokens may be left out or overtaken: so many more must be looked at."""
        if self.forced is not None and (self.forced >= 0).any():
            return EVERY_TOKEN
        pairs = (self.forbidden, self.repeated)
        of_all = len(self.blocked_ids) + (self.too_early is not None)
        return of_all + sum(each.most_in_a_row for each in pairs if each)

    def judge(self, candidates: Ints, logprobs: Floats) -> Floats:
        """`logprobs` `(rows, n)` of `candidates`, -inf where one must not come."""
        judged = logprobs.copy()
        if self.repeated is not None and self.repetition_penalty is not None:
            price = np.where(self.repeated.among(candidates), self.repetition_penalty[:, None], 1.0)
            judged *= price
        for token in self.blocked_ids:
            judged[candidates == token] = -np.inf
        if self.too_early is not None:
            judged[(candidates == self.eos_id) & self.too_early[:, None]] = -np.inf
        if self.forbidden is not None:
            judged[self.forbidden.among(candidates)] = -np.inf
            stuck = ~np.isfinite(judged).any(axis=1)
            judged[stuck] = np.where(candidates == self.eos_id, logprobs, -np.inf)[stuck]
        if self.forced is not None:
            forced = self.forced[:, None]
            says_it = np.where(candidates == forced, logprobs, -np.inf)
            judged = np.where(forced >= 0, says_it, judged)
        return judged


class Controls:
    """The controls of a number of requests. One that nobody uses costs nothing.

    Args:
        requests: in the order in which `Histories.requests` counts them.
        eos_id: what ends a hypothesis.
        blocked_ids: what no hypothesis may hold, as the unknown word.
    """

    def __init__(
        self, requests: Sequence[SearchRequest], *, eos_id: int, blocked_ids: Collection[int] = ()
    ) -> None:
        options = [request.options for request in requests]
        self._eos_id = eos_id
        self._blocked_ids = tuple(sorted(blocked_ids))
        self._min_tokens = np.array([each.min_tokens for each in options], np.int32)
        self._ngrams = np.array([each.no_repeat_ngram for each in options], np.int32)
        self._repetition_penalty = np.array([each.repetition_penalty for each in options], float)
        self._blocked = [
            (place, np.array(words, np.int32))
            for place, request in enumerate(requests)
            for words in request.blocked
        ]
        longest = max((len(request.prefix_ids) for request in requests), default=0)
        self._prefixes = np.full((len(requests), longest), -1, np.int32)
        for place, request in enumerate(requests):
            self._prefixes[place, : len(request.prefix_ids)] = request.prefix_ids
        self._forbids = [
            rule
            for rule, in_use in (
                (self._ends_of_ngrams, self._ngrams.any()),
                (self._ends_of_blocked, self._blocked),
            )
            if in_use
        ]
        self._uses_min_tokens = bool(self._min_tokens.any())
        self._uses_repetition_penalty = bool((self._repetition_penalty != 1.0).any())

    def verdict(self, said: Histories) -> Verdict:
        """What holds for the next token of each history."""
        forbidden = (pairs for rule in self._forbids for pairs in rule(said))
        penalty = self._repetition_penalty[said.requests] if self._uses_repetition_penalty else None
        return Verdict(
            self._eos_id,
            self._blocked_ids,
            too_early=self._too_early(said) if self._uses_min_tokens else None,
            forbidden=Pairs.union(forbidden) if self._forbids else None,
            repeated=self._repeated(said) if self._uses_repetition_penalty else None,
            repetition_penalty=penalty,
            forced=self._forced(said) if self._prefixes.size else None,
        )

    def _forced(self, said: Histories) -> Ints:
        """The next token of each prefix."""
        longest = self._prefixes.shape[1]
        forced = np.full(len(said.lengths), -1, np.int32)
        within = said.lengths < longest
        forced[within] = self._prefixes[said.requests[within], said.lengths[within]]
        return forced

    def _too_early(self, said: Histories) -> NDArray[np.bool_]:
        """Whether `min_tokens` are still to come."""
        return said.lengths < self._min_tokens[said.requests]

    def _ends_of_ngrams(self, said: Histories) -> Iterator[Pairs]:
        """What followed when the last n - 1 tokens were said before."""
        for n in np.unique(self._ngrams[self._ngrams > 0]):
            (rows,) = np.nonzero((self._ngrams[said.requests] == n) & (said.lengths >= n))
            if not rows.size:
                continue
            tokens = said.tokens[rows]
            windows = np.lib.stride_tricks.sliding_window_view(tokens, n, axis=1)
            starts = np.arange(windows.shape[1])
            own = starts >= (tokens.shape[1] - said.lengths[rows])[:, None]
            last = tokens[:, None, tokens.shape[1] - n + 1 :]
            again = own & (windows[:, :, :-1] == last).all(axis=2)
            which, start = np.nonzero(again)
            yield Pairs(rows[which], windows[which, start, -1])

    def _ends_of_blocked(self, said: Histories) -> Iterator[Pairs]:
        """The last token of a blocked sequence whose others have just been said."""
        for place, words in self._blocked:
            before = words[:-1]
            (rows,) = np.nonzero((said.requests == place) & (said.lengths >= len(before)))
            if not rows.size:
                continue
            ends = said.tokens[rows, said.tokens.shape[1] - len(before) :]
            rows = rows[(ends == before).all(axis=1)]
            yield Pairs(rows, np.full(rows.shape, words[-1], np.int32))

    def _repeated(self, said: Histories) -> Pairs:
        """Every token that was said, where that has a price."""
        costly = self._repetition_penalty[said.requests] != 1.0
        places = np.arange(said.tokens.shape[1])
        own = places >= (said.tokens.shape[1] - said.lengths)[:, None]
        rows, columns = np.nonzero(own & costly[:, None])
        return Pairs(rows, said.tokens[rows, columns])
