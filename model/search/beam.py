"""Greedy and beam search over any number of requests that come and go.

`Search` drives an engine: `add` lets requests join, `step` moves every one of them by one token and
returns those that are done. Which rows decode together never changes what a request gets. Knows
the contract and `SearchOptions`; no network, no text, no clock. Every token's work is on arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.config import SearchOptions
from model.contract import Engine, State
from model.errors import EngineError

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class SearchRequest:
    """One source to answer.

    Attributes:
        key: names the request; unique among those in search.
        source_ids: what the encoder reads, at least one id.
        options: how to search.
    """

    key: Hashable
    source_ids: Sequence[int]
    options: SearchOptions


@dataclass(frozen=True)
class Hypothesis:
    """One answer.

    Attributes:
        tokens: target ids without the end-of-sentence id.
        logprob: sum of the log-probabilities of all its tokens, the end included, in nats.
        score: `logprob` after the length penalty; hypotheses are ordered by it.
        finish_reason: `stop` if it ended itself, `length` if `max_tokens` cut it.
    """

    tokens: tuple[int, ...]
    logprob: float
    score: float
    finish_reason: FinishReason


@dataclass(frozen=True)
class Beams:
    """The live hypotheses of all requests: G requests, W the widest beam.

    A hypothesis that does not exist has logprob -inf. Histories begin with the begin-of-sentence id
    and stand at the right: request g's own tokens are the last `lengths[g]` columns.

    Attributes:
        logprobs: float64 `(G, W)`.
        rows: int32 `(G, W)`, the row of the engine's state that each hypothesis continues.
        tokens: int32 `(G, W, 1 + the longest history)`.
        lengths: int32 `(G,)`, tokens that each request's hypotheses have.
        widths: int32 `(G,)`, hypotheses that may still live: the beam size less the finished.
        worst_kept: float64 `(G,)`, score of the n-th best finished hypothesis, -inf before.
        min_tokens, max_tokens: int32 `(G,)`.
        length_penalty: float64 `(G,)`.
    """

    logprobs: NDArray[np.float64]
    rows: NDArray[np.int32]
    tokens: NDArray[np.int32]
    lengths: NDArray[np.int32]
    widths: NDArray[np.int32]
    worst_kept: NDArray[np.float64]
    min_tokens: NDArray[np.int32]
    max_tokens: NDArray[np.int32]
    length_penalty: NDArray[np.float64]

    @classmethod
    def start(cls, options: Sequence[SearchOptions], *, first_row: int, bos_id: int) -> Beams:
        """One empty hypothesis for each request, in consecutive rows of the state."""
        count = len(options)
        width = max((option.beam_size for option in options), default=1)
        logprobs = np.full((count, width), -np.inf)
        logprobs[:, :1] = 0.0
        rows = np.zeros((count, width), np.int32)
        rows[:, 0] = first_row + np.arange(count)
        return cls(
            logprobs=logprobs,
            rows=rows,
            tokens=np.full((count, width, 1), bos_id, np.int32),
            lengths=np.zeros(count, np.int32),
            widths=np.array([option.beam_size for option in options], np.int32),
            worst_kept=np.full(count, -np.inf),
            min_tokens=np.array([option.min_tokens for option in options], np.int32),
            max_tokens=np.array([option.max_tokens for option in options], np.int32),
            length_penalty=np.array([option.length_penalty for option in options], np.float64),
        )

    def join(self, newcomers: Beams) -> Beams:
        """Both sets of requests, the newcomers last."""
        width = max(self.logprobs.shape[1], newcomers.logprobs.shape[1])
        length = max(self.tokens.shape[2], newcomers.tokens.shape[2])
        both = [beams._padded(width, length) for beams in (self, newcomers)]
        return _each_field(lambda *pair: np.concatenate(pair), *both)

    def keep(self, requests: NDArray[np.bool_]) -> Beams:
        """Only the requests that are True in `requests` `(G,)`, without unused columns."""
        kept = _each_field(lambda field: field[requests], self)
        live_columns = np.flatnonzero(np.isfinite(kept.logprobs).any(axis=0))
        width = max([1, *kept.widths, *(live_columns + 1)])
        length = 1 + kept.lengths.max(initial=0)
        return replace(
            kept,
            logprobs=kept.logprobs[:, :width],
            rows=kept.rows[:, :width],
            tokens=kept.tokens[:, :width, -length:],
        )

    def _padded(self, width: int, length: int) -> Beams:
        wider = (0, width - self.logprobs.shape[1])
        longer = (length - self.tokens.shape[2], 0)
        return replace(
            self,
            logprobs=np.pad(self.logprobs, ((0, 0), wider), constant_values=-np.inf),
            rows=np.pad(self.rows, ((0, 0), wider)),
            tokens=np.pad(self.tokens, ((0, 0), wider, longer)),
        )


@dataclass
class _Open:
    """A request in search and what it has finished so far."""

    request: SearchRequest
    finished: list[Hypothesis]


class Search:
    """Decodes requests together, one token at a time. For one thread.

    Beam search as in Sutskever et al. 2014: the `beam_size` likeliest continuations are kept; one
    that ends leaves the beam, which is narrower from then on. A request is done when its beam is
    empty, or when no live hypothesis can still overtake its n-th best finished one: stopping early
    changes no answer. With `beam_size=1` this is greedy search.

    Args:
        engine: runs the network.
        bos_id: what every hypothesis reads first.
        eos_id: what ends it.
        blocked_ids: what no hypothesis may hold, as the unknown word.
    """

    def __init__(
        self, engine: Engine, *, bos_id: int, eos_id: int, blocked_ids: Collection[int] = ()
    ) -> None:
        self._engine = engine
        self._bos_id = bos_id
        self._eos_id = eos_id
        self._blocked_ids = np.array(sorted(blocked_ids), np.int32)
        self._state: State = None
        self._state_rows = 0
        self._open: list[_Open] = []
        self._beams = Beams.start([], first_row=0, bos_id=bos_id)

    @property
    def active_rows(self) -> int:
        """Rows that the next step computes."""
        return int(np.isfinite(self._beams.logprobs).sum())

    @property
    def is_idle(self) -> bool:
        """Whether no request is in search."""
        return not self._open

    def add(self, requests: Sequence[SearchRequest]) -> None:
        """Encodes `requests` as one batch and lets them join at the next step."""
        if not requests:
            return
        lengths = np.array([len(request.source_ids) for request in requests], np.int32)
        source_ids = np.zeros((len(requests), lengths.max()), np.int32)
        for row, request in enumerate(requests):
            source_ids[row, : lengths[row]] = request.source_ids
        encoded = self._engine.encode(source_ids, lengths)
        options = [request.options for request in requests]
        newcomers = Beams.start(options, first_row=self._state_rows, bos_id=self._bos_id)
        self._beams = self._beams.join(newcomers)
        self._state = encoded if self.is_idle else self._engine.concatenate([self._state, encoded])
        self._state_rows += len(requests)
        self._open += [_Open(request, []) for request in requests]

    def remove(self, keys: Collection[Hashable]) -> None:
        """Drops requests; their rows are free at the next step. Unknown keys change nothing."""
        staying = np.array([entry.request.key not in keys for entry in self._open], bool)
        self._retain(staying)

    def step(self) -> list[tuple[Hashable, tuple[Hypothesis, ...]]]:
        """Moves every request by one token. Returns those that are done, best hypothesis first."""
        if self.is_idle:
            return []
        beams, tokens = self._advance()
        beams = self._collect(beams, tokens)
        bounds = beams.logprobs.max(axis=1) / penalty(beams.max_tokens, beams.length_penalty)
        done = ~np.isfinite(bounds) | (bounds <= beams.worst_kept)
        self._beams = beams
        answers = [
            (entry.request.key, _best(entry))
            for entry, is_done in zip(self._open, done, strict=True)
            if is_done
        ]
        self._retain(~done)
        return answers

    def _advance(self) -> tuple[Beams, NDArray[np.int32]]:
        """Steps the engine and keeps the likeliest continuations.

        Returns:
            beams, hypotheses that have just ended still in it; the tokens just read, `(G, W)`.
        """
        beams = self._beams
        live = np.isfinite(beams.logprobs)
        width = beams.logprobs.shape[1]
        too_short = beams.lengths < beams.min_tokens
        result = self._engine.step(
            self._state,
            parents=beams.rows[live],
            tokens=beams.tokens[:, :, -1][live],
            # as many more as may have to be left out
            top_k=width + len(self._blocked_ids) + int(too_short.any()),
        )
        if np.isnan(result.logprobs).any():
            raise EngineError("the network's output is not a number; its weights are broken")
        top_k = result.tokens.shape[1]
        candidates = np.zeros((*live.shape, top_k), np.int32)
        candidates[live] = result.tokens
        logprobs = np.full(candidates.shape, -np.inf)
        logprobs[live] = beams.logprobs[live][:, None] + result.logprobs
        logprobs[too_short[:, None, None] & (candidates == self._eos_id)] = -np.inf
        logprobs[np.isin(candidates, self._blocked_ids)] = -np.inf

        flat = logprobs.reshape(len(logprobs), -1)
        order = np.argsort(-flat, axis=1, kind="stable")[:, :width]
        kept = np.take_along_axis(flat, order, axis=1)
        kept[np.arange(width) >= beams.widths[:, None]] = -np.inf
        parents = order // top_k
        tokens = np.take_along_axis(candidates.reshape(flat.shape), order, axis=1)
        state_rows = np.zeros(live.shape, np.int32)
        state_rows[live] = np.arange(live.sum())
        history = np.take_along_axis(beams.tokens, parents[:, :, None], axis=1)
        self._state, self._state_rows = result.state, int(live.sum())
        return replace(
            beams,
            logprobs=kept,
            rows=np.take_along_axis(state_rows, parents, axis=1),
            tokens=np.concatenate([history, tokens[:, :, None]], axis=2),
            lengths=beams.lengths + 1,
        ), tokens

    def _collect(self, beams: Beams, tokens: NDArray[np.int32]) -> Beams:
        """Takes hypotheses that ended, or ran out of tokens, out of `beams`."""
        live = np.isfinite(beams.logprobs)
        ended = live & (tokens == self._eos_id)
        cut = live & ~ended & (beams.lengths >= beams.max_tokens)[:, None]
        logprobs, widths = beams.logprobs.copy(), beams.widths.copy()
        worst_kept = beams.worst_kept.copy()
        scores = beams.logprobs / penalty(beams.lengths, beams.length_penalty)[:, None]
        for g, w in np.argwhere(ended | cut):
            length = beams.lengths[g] - ended[g, w]
            history = beams.tokens[g, w, -beams.lengths[g] :][:length]
            entry = self._open[g]
            entry.finished.append(
                Hypothesis(
                    tokens=tuple(history.tolist()),
                    logprob=float(beams.logprobs[g, w]),
                    score=float(scores[g, w]),
                    finish_reason="stop" if ended[g, w] else "length",
                )
            )
            logprobs[g, w] = -np.inf
            widths[g] -= 1
            best = _best(entry)
            if len(best) == entry.request.options.n_best and best[-1].finish_reason == "stop":
                worst_kept[g] = best[-1].score
        return replace(beams, logprobs=logprobs, widths=widths, worst_kept=worst_kept)

    def _retain(self, requests: NDArray[np.bool_]) -> None:
        if requests.all():
            return
        self._beams = self._beams.keep(requests)
        self._open = [entry for entry, kept in zip(self._open, requests, strict=True) if kept]
        if not self._open:
            self._state, self._state_rows = None, 0


def penalty(lengths: NDArray[np.int32], alpha: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """GNMT's length penalty `((5 + length) / 6) ** alpha` (Wu et al. 2016, eq. 14)."""
    return np.asarray(((5.0 + lengths) / 6.0) ** alpha, np.float64)


def _best(entry: _Open) -> tuple[Hypothesis, ...]:
    """The n best finished hypotheses; those that ended themselves come first."""
    ranked = sorted(entry.finished, key=lambda each: (each.finish_reason == "length", -each.score))
    return tuple(ranked[: entry.request.options.n_best])


def _each_field(function: Callable[..., NDArray[Any]], *beams: Beams) -> Beams:
    """`function` of each field of all `beams`."""
    return Beams(**{name: function(*(getattr(b, name) for b in beams)) for name in vars(beams[0])})
