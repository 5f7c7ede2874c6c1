"""Greedy search, beam search and sampling over any number of requests that come and go.

`Search` drives an engine: `add` lets requests join, `step` extends each of them by one token and
returns those that are done. A request gets the same answer alone or in a batch. Knows the contract
and its options; no network, no text, no clock. Every token's work is on arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.contract import Engine, Sequel, State, StepResult, can_look_ahead
from model.errors import EngineError
from model.search.beams import Beams
from model.search.constraints import Histories, Ints, StepConstraints, TokenConstraints
from model.search.lookahead import Lookahead
from model.search.options_table import DIVERSITY, Floats
from model.search.requests import Hypothesis, SearchRequest
from model.search.required import PhraseConstraints, allocate_beam
from model.search.sampling import Sampler

Places = NDArray[np.intp]


@dataclass
class _ActiveRequest:
    """A request in search.

    Attributes:
        finished: its finished hypotheses so far.
        rng: its random numbers, if it samples.
    """

    request: SearchRequest
    finished: list[Hypothesis]
    rng: np.random.Generator | None

    @classmethod
    def new(cls, request: SearchRequest) -> _ActiveRequest:
        """Builds one without finished hypotheses."""
        draws = request.options.temperature > 0
        return cls(request, [], np.random.default_rng(request.options.seed) if draws else None)


@dataclass(frozen=True)
class Encoded:
    """Requests whose sources were encoded, and the beams that they begin with."""

    requests: Sequence[SearchRequest]
    beams: Beams
    state: State


class Search:
    """Decodes requests together, one token at a time. For one thread, but for `encode`.

    Beam search as in Sutskever et al. 2014: the `beam_size` likeliest continuations are kept; one
    that ends leaves the beam, which is narrower from then on. A request is done when its beam is
    empty, or when no live hypothesis can still overtake its n-th best finished one: stopping early
    changes no answer. With `beam_size=1` this is greedy search. With a `temperature`, `beam_size`
    hypotheses are sampled instead, independently.

    Args:
        engine: runs the network.
        bos_id: the token that every hypothesis begins with.
        eos_id: the token that ends it.
        blocked_ids: tokens that no hypothesis may contain, as the unknown word.
    """

    def __init__(
        self, engine: Engine, *, bos_id: int, eos_id: int, blocked_ids: Collection[int] = ()
    ) -> None:
        self._engine = engine
        self._bos_id = bos_id
        self._eos_id = eos_id
        self._blocked_ids = sorted(blocked_ids)
        self._state: State = None
        self._active: list[_ActiveRequest] = []
        self._is_changed = False  # the set of requests, since `_read_requests`
        self._beams: Beams  # of the active requests, as are the following
        self._constraints: TokenConstraints
        self._phrases: PhraseConstraints
        self._sampler: Sampler
        self._lookahead: Lookahead | None  # if it can predict what they will choose

    @property
    def active_rows(self) -> int:
        """Returns the number of rows of the next step."""
        return 0 if self.is_idle else int(self._beams.live.sum())

    @property
    def is_idle(self) -> bool:
        """Tells whether no request is in search."""
        return not self._active

    def add(self, requests: Sequence[SearchRequest]) -> None:
        """Encodes `requests` as one batch. They join at the next step."""
        if requests:
            self.join(self.encode(requests))

    def encode(self, requests: Sequence[SearchRequest]) -> Encoded:
        """Encodes the sources of one or more requests, sorted by length. Changes nothing here, and
        may run on another thread while this search steps."""
        requests = sorted(requests, key=lambda request: len(request.source_ids))
        lengths = np.array([len(request.source_ids) for request in requests], np.int32)
        source_ids = np.zeros((len(requests), lengths.max()), np.int32)
        for row, request in enumerate(requests):
            source_ids[row, : lengths[row]] = request.source_ids
        use_shortlist = np.array([request.uses_shortlist for request in requests], bool)
        state = self._engine.encode(source_ids, lengths, use_shortlist)
        return Encoded(requests, Beams.start(requests, bos_id=self._bos_id), state)

    def join(self, encoded: Encoded) -> None:
        """Lets requests join at the next step. If it fails, it changes nothing."""
        beams, state = encoded.beams, encoded.state
        if not self.is_idle:
            parents = self._beams.flat(self._beams.rows)
            beams = self._beams.join(beams)
            state = self._engine.join(self._state, parents, state)
        self._beams, self._state = beams, state
        self._active += map(_ActiveRequest.new, encoded.requests)
        self._is_changed = True

    def remove(self, keys: Collection[Hashable]) -> None:
        """Drops requests; their rows are free at the next step. Unknown keys change nothing."""
        staying = np.array([entry.request.key not in keys for entry in self._active], bool)
        self._retain(staying)

    def step(self) -> list[tuple[Hashable, tuple[Hypothesis, ...]]]:
        """Extends every request by one token, or a lone one by several if that gives the same.
        Returns those that are done, best hypothesis first."""
        if self.is_idle:
            return []
        if self._is_changed:
            self._read_requests()
        self._advance()
        some_ended = self._collect()
        beams = self._beams
        if not some_ended and not beams.may_be_done():
            return []
        bounds = beams.upper_bounds()
        _check_numbers(bounds)
        done = ~(bounds > beams.worst_kept)
        answers = [
            (self._active[g].request.key, _best(self._active[g])) for g in np.flatnonzero(done)
        ]
        self._retain(~done)
        return answers

    def agreed(self, after: Mapping[Hashable, int]) -> dict[Hashable, tuple[int, ...]]:
        """Returns what is certain of the answers of some requests in search: the tokens on which
        all their hypotheses agree, beyond the first `after[key]`. Requests without any are left
        out."""
        found = {}
        for place, entry in enumerate(self._active):
            known = after.get(entry.request.key)
            if known is not None and (tokens := self._agreed(place, known)):
                found[entry.request.key] = tokens
        return found

    def _agreed(self, place: int, known: int) -> tuple[int, ...]:
        beams = self._beams
        first = beams.tokens.shape[2] - int(beams.lengths[place]) + known
        live = beams.tokens[place, beams.live[place], first:].tolist()
        ended = [each.tokens[known:] for each in _best(self._active[place])]
        places = zip(*live, *ended, strict=False)
        agree = itertools.takewhile(lambda each: len(set(each)) == 1, places)
        return tuple(each[0] for each in agree)

    def _advance(self) -> None:
        """Steps the engine and chooses continuations, with those that have just ended."""
        beams = self._beams
        width = beams.logprobs.shape[1]
        last = beams.flat(beams.tokens[:, :, -1])
        constraints = self._step_constraints()
        top_k = (
            max(width, self._sampler.max_top_k)
            + self._phrases.extra_candidates
            + constraints.extra_candidates
        )
        if self._lookahead and width == 1 and self._constraints.are_constant:
            self._append_tokens(self._lookahead, constraints, last, top_k)
            return
        result = self._step_engine(last, top_k, wanted=self._wanted(constraints))
        self._state = result.state
        if width == 1 and not (self._sampler.in_use or self._phrases.in_use):
            tokens, steps = constraints.likeliest(result.tokens, result.logprobs)
            logprobs = beams.logprobs + steps[:, None]
            beams.advance(None, tokens[:, None], logprobs, result.attention_weights)
        else:
            self._choose(constraints, result)

    def _append_tokens(
        self, lookahead: Lookahead, constraints: StepConstraints, last: Ints, top_k: int
    ) -> None:
        """Appends several tokens at once, for a lone greedy request."""
        beams = self._beams
        totals = beams.logprobs[0]
        sequel = Sequel(beams.rows[0], last, top_k, totals, beams.steps_left)
        steps = lookahead.take(self._state, sequel)
        tokens, logprobs = constraints.likeliest(steps.tokens[:, 0], steps.logprobs[:, 0])
        goes_on = (tokens[:-1] == steps.chosen[:, 0]) & (steps.parents[:, 0] == 0)
        goes_on &= tokens[:-1] != self._eos_id
        count = len(tokens) if goes_on.all() else int(goes_on.argmin()) + 1
        lookahead.adapt_length(were_all_used=count == len(tokens))
        self._state = steps.state(count - 1)
        total = np.add.accumulate(np.append(totals, logprobs[:count]))[-1:]
        beams.append_tokens(tokens[:count], total[None], steps.attention_weights[:count, 0])

    def _step_engine(self, tokens: Ints, top_k: int, wanted: Ints | None) -> StepResult:
        """Returns the engine's step of all live rows. `wanted` `(rows, n)`, -1 for none, follow the
        likeliest tokens."""
        beams = self._beams
        parents = beams.flat(beams.rows)
        if self._lookahead and wanted is None and len(parents) == beams.widths[0]:
            totals = beams.flat(beams.logprobs)
            sequel = Sequel(parents, tokens, top_k, totals, beams.steps_left)
            return self._lookahead.step(self._state, sequel)
        if wanted is None:
            return self._engine.step(self._state, parents, tokens, top_k)
        result = self._engine.step(self._state, parents, tokens, top_k, wanted=wanted)
        if result.wanted_logprobs is None:
            raise EngineError("this engine returns only the likeliest tokens, not wanted ones")
        is_told = (wanted[:, :, None] == result.tokens[:, None]).any(axis=2)
        is_told |= np.tril(wanted[:, :, None] == wanted[:, None], -1).any(axis=2)
        logprobs = np.where(is_told | (wanted < 0), -np.inf, result.wanted_logprobs)
        return replace(
            result,
            tokens=np.concatenate([result.tokens, wanted.clip(min=0)], axis=1),
            logprobs=np.concatenate([result.logprobs, logprobs], axis=1),
        )

    def _step_constraints(self) -> StepConstraints:
        constraints = self._constraints.at_step(self._histories)
        if not self._phrases.in_use:
            return constraints
        unmet = ~self._phrases.is_met(*self._progress())
        return replace(
            constraints,
            too_early=unmet if constraints.too_early is None else unmet | constraints.too_early,
        )

    def _wanted(self, constraints: StepConstraints) -> Ints | None:
        """Returns the tokens that must be among each live row's candidates, -1 for none."""
        wanted = [] if constraints.forced is None else [constraints.forced[:, None]]
        if self._phrases.in_use:
            wanted.append(self._phrases.wanted(*self._progress()))
        return np.concatenate(wanted, axis=1) if wanted else None

    def _progress(self) -> tuple[Ints, Places]:
        """Returns each live row's progress with the required phrases, and its request."""
        beams = self._beams
        return beams.flat(beams.progress), np.nonzero(beams.live)[0]

    def _histories(self) -> Histories:
        beams = self._beams
        if beams.logprobs.shape[1] == 1:
            return Histories(beams.tokens[:, 0], beams.lengths, beams.first_places[:, 0])
        requests = np.nonzero(beams.live)[0]
        return Histories(beams.flat(beams.tokens), beams.lengths[requests], requests)

    def _choose(self, constraints: StepConstraints, result: StepResult) -> None:
        """Continues the beams with each request's best, or sampled, candidates."""
        beams = self._beams
        count, width = beams.logprobs.shape
        top_k = result.tokens.shape[1]
        _check_numbers(result.logprobs[:, 0])
        steps = beams.spread(constraints.apply(result.tokens, result.logprobs), -np.inf)
        candidates = beams.spread(result.tokens, 0)
        logprobs = beams.logprobs[:, :, None] + steps
        ranked = _with_diversity(logprobs, beams).reshape(count, -1)
        chosen = np.argsort(-ranked, axis=1, kind="stable")[:, :width]
        reached = None
        if self._phrases.in_use:
            constrained = self._phrases.has_phrases
            after = self._phrases.after(*self._progress(), result.tokens)
            reached = beams.spread(after, 0).reshape(count, -1, after.shape[2])
            banks = self._phrases.banks(reached)
            chosen[constrained] = allocate_beam(ranked[constrained], banks[constrained], width)
        has_room = np.arange(width) < beams.widths[:, None]
        if self._sampler.in_use:
            is_sampled = self._sampler.is_sampled[:, None]
            chosen = np.where(is_sampled, self._sampler.draw(steps), chosen)
            has_room |= is_sampled
        places = chosen + beams.first_places * top_k
        beams.advance(
            chosen // top_k,
            candidates.take(places),
            np.where(has_room, logprobs.take(places), -np.inf),
            result.attention_weights,
            None if reached is None else np.take_along_axis(reached, chosen[:, :, None], axis=1),
        )

    def _collect(self) -> bool:
        """Moves hypotheses that ended, or reached `max_tokens`, from the beams to the finished
        ones. Returns whether there were any."""
        beams = self._beams
        ended = beams.tokens[:, :, -1] == self._eos_id
        if beams.steps_left > 0 and not np.count_nonzero(ended):
            return False
        ended &= beams.live
        over = ended
        if beams.steps_left <= 0:
            over = ended | beams.live & (beams.lengths >= beams.options["max_tokens"])[:, None]
        places = np.flatnonzero(over)
        requests, columns = (each.tolist() for each in divmod(places, over.shape[1]))
        facts = [
            each.take(places).tolist()
            for each in (beams.logprobs, beams.scores(), ended, self._are_met())
        ]
        lengths = beams.lengths.tolist()
        for g, w, logprob, score, has_ended, is_met in zip(requests, columns, *facts, strict=True):
            entry, length = self._active[g], lengths[g]
            tokens = beams.tokens[g, w, beams.tokens.shape[2] - length :].tolist()
            attention = None
            if entry.request.wants_attention:
                source_len = len(entry.request.source_ids)
                attention = beams.attention_weights[g, w, -length:, :source_len].copy()
            entry.finished.append(
                Hypothesis(
                    tokens=tuple(tokens[:-1] if has_ended else tokens),
                    logprob=logprob,
                    score=score,
                    finish_reason="stop" if has_ended and is_met else "length",
                    holds_required=is_met,
                    attention_weights=attention,
                )
            )
        beams.drop(places)
        for g in set(requests):
            best = _best(self._active[g])
            if len(best) == self._active[g].request.options.n_best:
                beams.worst_kept[g] = (
                    best[-1].score if best[-1].finish_reason == "stop" else -np.inf
                )
                beams.some_have_enough = True
        return bool(requests)

    def _are_met(self) -> NDArray[np.bool_]:
        """Tells which hypotheses contain all required phrases, `(G, W)`."""
        if not self._phrases.in_use:
            return self._beams.live
        return self._beams.spread(self._phrases.is_met(*self._progress()), False)

    def _retain(self, requests: NDArray[np.bool_]) -> None:
        if requests.all():
            return
        self._active = [entry for entry, kept in zip(self._active, requests, strict=True) if kept]
        if self.is_idle:
            self._state = None
            return
        self._beams = self._beams.keep(np.flatnonzero(requests))
        self._is_changed = True

    def _read_requests(self) -> None:
        """Computes what holds until a request joins or leaves."""
        self._is_changed = False
        requests, options = [entry.request for entry in self._active], self._beams.options
        self._constraints = TokenConstraints(
            requests, options, eos_id=self._eos_id, blocked_ids=self._blocked_ids
        )
        self._phrases = PhraseConstraints(requests)
        self._sampler = Sampler(options, [entry.rng for entry in self._active])
        engine = self._engine
        is_foreseeable = len(requests) == 1 and requests[0].takes_the_likeliest
        self._lookahead = Lookahead(engine) if is_foreseeable and can_look_ahead(engine) else None


def _check_numbers(logprobs: NDArray[np.floating[Any]]) -> None:
    if math.isnan(logprobs.sum()):
        raise EngineError("the network's output is not a number; its weights are broken")


def _with_diversity(logprobs: Floats, beams: Beams) -> Floats:
    """Returns `logprobs` `(G, W, K)` for ranking: with `diversity`, the k-th best continuation of a
    hypothesis loses k times that (Li, Monroe and Jurafsky 2016, arXiv:1611.08562), so that fewer
    siblings fill the beam. Ranks beyond a beam's width count alike.
    """
    if not beams.features & DIVERSITY:
        return logprobs
    ranks = np.argsort(np.argsort(-logprobs, axis=2, kind="stable"), axis=2, kind="stable")
    ranks = np.minimum(ranks, beams.widths[:, None, None])
    return logprobs - beams.options["diversity"][:, None, None] * ranks


def _best(entry: _ActiveRequest) -> tuple[Hypothesis, ...]:
    """Returns the n best finished hypotheses."""
    ranked = sorted(entry.finished, key=lambda each: each.rank)
    return tuple(ranked[: entry.request.options.n_best])
