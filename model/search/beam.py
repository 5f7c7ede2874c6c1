"""Greedy search, beam search and sampling over any number of requests that come and go.

`Search` drives an engine: `add` lets requests join, `step` moves every one of them by one token and
returns those that are done. Which rows decode together never changes what a request gets. Knows
the contract and its options; no network, no text, no clock. Every token's work is on arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.contract import Engine, State
from model.errors import EngineError
from model.search.beams import Beams, along
from model.search.controls import Controls, Histories
from model.search.requests import Hypothesis, SearchRequest
from model.search.sampling import Sampler


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
    changes no answer. With `beam_size=1` this is greedy search. With a `temperature`, `beam_size`
    hypotheses are drawn instead, each by itself.

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
        self._blocked_ids = blocked_ids
        self._state: State = None
        self._state_rows = 0
        self._open: list[_Open] = []
        self._beams = Beams.start([], first_row=0, bos_id=bos_id)
        self._sampler = Sampler()
        self._controls = self._new_controls()

    @property
    def active_rows(self) -> int:
        """Rows that the next step computes."""
        return int(self._beams.live.sum())

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
        newcomers = Beams.start(requests, first_row=self._state_rows, bos_id=self._bos_id)
        self._beams = self._beams.join(newcomers)
        self._state = encoded if self.is_idle else self._engine.concatenate([self._state, encoded])
        self._state_rows += len(requests)
        self._open += [_Open(request, []) for request in requests]
        self._sampler.add([request.options for request in requests])
        self._controls = self._new_controls()

    def remove(self, keys: Collection[Hashable]) -> None:
        """Drops requests; their rows are free at the next step. Unknown keys change nothing."""
        staying = np.array([entry.request.key not in keys for entry in self._open], bool)
        self._retain(staying)

    def step(self) -> list[tuple[Hashable, tuple[Hypothesis, ...]]]:
        """Moves every request by one token. Returns those that are done, best hypothesis first."""
        if self.is_idle:
            return []
        self._advance()
        self._collect()
        bounds = self._beams.upper_bounds()
        done = ~np.isfinite(bounds) | (bounds <= self._beams.worst_kept)
        answers = [(self._open[g].request.key, _best(self._open[g])) for g in np.flatnonzero(done)]
        self._retain(~done)
        return answers

    def _advance(self) -> None:
        """Steps the engine and chooses continuations. Those that have just ended are among them."""
        beams = self._beams
        live = beams.live
        width = live.shape[1]
        requests = np.nonzero(live)[0]
        said = Histories(beams.tokens[live], beams.lengths[requests], requests)
        verdict = self._controls.verdict(said)
        result = self._engine.step(
            self._state,
            parents=beams.rows[live],
            tokens=said.tokens[:, -1],
            top_k=max(width, self._sampler.reach) + verdict.reach,
        )
        if np.isnan(result.logprobs).any():
            raise EngineError("the network's output is not a number; its weights are broken")
        top_k = result.tokens.shape[1]
        candidates = np.zeros((*live.shape, top_k), np.int32)
        candidates[live] = result.tokens
        steps = np.full(candidates.shape, -np.inf)
        steps[live] = verdict.judge(result.tokens, result.logprobs.astype(np.float64))
        logprobs = beams.logprobs[:, :, None] + steps

        chosen = _likeliest(logprobs, beams)
        has_room = np.arange(width) < beams.widths[:, None]
        if beams.is_drawn.any():
            is_drawn = beams.is_drawn[:, None]
            chosen = np.where(is_drawn, self._sampler.draw(steps), chosen)
            has_room |= is_drawn
        kept = along(logprobs.reshape(len(live), -1), chosen)
        kept[~has_room] = -np.inf
        tokens = along(candidates.reshape(len(live), -1), chosen)
        beams.advance(chosen // top_k, tokens, kept, result.attention_weights)
        self._state, self._state_rows = result.state, len(requests)

    def _collect(self) -> None:
        """Takes hypotheses that ended, or ran out of tokens, out of the beams."""
        beams = self._beams
        ended = beams.live & (beams.tokens[:, :, -1] == self._eos_id)
        cut = beams.live & ~ended & (beams.lengths >= beams.max_tokens)[:, None]
        if not (ended | cut).any():
            return
        scores = beams.scores()
        for g, w in np.argwhere(ended | cut):
            entry, length = self._open[g], beams.lengths[g]
            history = beams.tokens[g, w, -length:][: length - ended[g, w]]
            looked = beams.attention_weights[g, w, -length:, : beams.source_lengths[g]]
            entry.finished.append(
                Hypothesis(
                    tokens=tuple(history.tolist()),
                    logprob=float(beams.logprobs[g, w]),
                    score=float(scores[g, w]),
                    finish_reason="stop" if ended[g, w] else "length",
                    attention_weights=looked.copy() if entry.request.wants_attention else None,
                )
            )
            beams.logprobs[g, w] = -np.inf
            beams.widths[g] -= 1
            best = _best(entry)
            if len(best) == entry.request.options.n_best and best[-1].finish_reason == "stop":
                beams.worst_kept[g] = best[-1].score

    def _retain(self, requests: NDArray[np.bool_]) -> None:
        if requests.all():
            return
        self._beams = self._beams.keep(requests)
        self._open = [entry for entry, kept in zip(self._open, requests, strict=True) if kept]
        self._sampler.keep(requests)
        self._controls = self._new_controls()
        if not self._open:
            self._state, self._state_rows = None, 0

    def _new_controls(self) -> Controls:
        requests = [entry.request for entry in self._open]
        return Controls(requests, eos_id=self._eos_id, blocked_ids=self._blocked_ids)


def _likeliest(logprobs: NDArray[np.float64], beams: Beams) -> NDArray[np.intp]:
    """The W best continuations of each request as places in its W x K candidates, best first.

    With `diversity`, the k-th best continuation of a hypothesis counts k times that less (Li,
    Monroe and Jurafsky 2016, arXiv:1611.08562), so that fewer siblings fill the beam.
    """
    width = logprobs.shape[1]
    if beams.diversity.any():
        ranks = np.argsort(np.argsort(-logprobs, axis=2, kind="stable"), axis=2, kind="stable")
        logprobs = logprobs - beams.diversity[:, None, None] * ranks
    flat = logprobs.reshape(len(logprobs), -1)
    return np.argsort(-flat, axis=1, kind="stable")[:, :width]


def _best(entry: _Open) -> tuple[Hypothesis, ...]:
    """The n best finished hypotheses; those that ended themselves come first."""
    ranked = sorted(entry.finished, key=lambda each: (each.finish_reason == "length", -each.score))
    return tuple(ranked[: entry.request.options.n_best])
