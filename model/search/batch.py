"""Requests of one beam width that are decoded together, each in its own slot until it ends."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from model.contract import (
    Encoded,
    StateTable,
    StepResult,
    check_numbers,
    compaction,
    lowest_free,
    wanted_logprobs,
)
from model.search.beams import DIVERSITY, SAMPLING, Beams, options_table
from model.search.constraints import Histories, StepConstraints, TokenConstraints
from model.search.requests import Answer, Hypothesis, SearchRequest
from model.search.required import PhraseConstraints, allocate_beam
from model.search.sampling import Sampler
from model.types import Bool, Float64, Indices, Int32

if TYPE_CHECKING:
    from model.config import SearchOptions


@dataclass
class _Slot:
    """The request in a slot.

    Attributes:
        request: the request.
        finished: its finished hypotheses so far.
        rng: its random number generator, if it samples.
    """

    request: SearchRequest
    finished: list[Hypothesis]
    rng: np.random.Generator | None = None

    @classmethod
    def of(cls, request: SearchRequest) -> _Slot:
        """Builds a slot without finished hypotheses."""
        if not request.options.temperature > 0:
            return cls(request, [])
        seed = request.options.seed  # of all requests of a file: each source draws its own numbers
        entropy = None if seed is None else [seed, *request.source_ids]
        return cls(request, [], np.random.default_rng(entropy))

    def best(self) -> tuple[Hypothesis, ...]:
        """Returns the n best finished hypotheses."""
        ranked = sorted(self.finished, key=lambda each: each.rank)
        return tuple(ranked[: self.request.options.n_best])


#: A free slot, whose options nobody reads.
_FREE = _Slot(SearchRequest(None, (0,), cast("SearchOptions", None)), [])


class Batch:
    """Steps requests of one beam width together.

    Args:
        table: an empty table of the engine, of the same width.
        width: hypotheses per request.
        bos_id: the token with which every hypothesis begins.
        eos_id: the token that ends a hypothesis.
        blocked_ids: tokens that no hypothesis may contain, such as the unknown word.
    """

    def __init__(
        self, table: StateTable, width: int, *, bos_id: int, eos_id: int, blocked_ids: Sequence[int]
    ) -> None:
        self._table = table
        self._width = width
        self._eos_id = eos_id
        self._blocked_ids = blocked_ids
        self._beams = Beams(width, bos_id=bos_id)
        self._slots: list[_Slot] = []  # as many as the beams have
        self._is_changed = False  # the set of requests, since `_read_requests`
        self._constraints: TokenConstraints  # of the active requests, as are the following
        self._phrases: PhraseConstraints | None
        self._sampler: Sampler | None
        self._top_k: int  # before the constraints of a step

    def __bool__(self) -> bool:
        return bool(self._slots)

    def reserve(self, encoded: Encoded, sources: Indices) -> Indices:
        """Writes the `sources` `(n,)` of `encoded` to the lowest free slots of the table and
        returns these slots `(n,)`. They remain free until `insert`. If it raises an error, nothing
        has changed."""
        slots = lowest_free(self._beams.in_use, len(sources))
        self._table.insert(slots, encoded, sources)
        return slots

    def insert(self, slots: Indices, requests: Sequence[SearchRequest]) -> None:
        """Starts `requests` `(n,)` at the next step, in the `slots` `(n,)` from `reserve`."""
        missing = int(slots.max()) + 1 - len(self._slots)
        if missing > 0:
            self._slots += [_FREE] * missing
            self._beams.resize(len(self._slots))
        self._beams.insert(slots, options_table(requests))
        for slot, request in zip(slots.tolist(), requests, strict=True):
            self._slots[slot] = _Slot.of(request)
        self._is_changed = True

    def remove(self, keys: Collection[Hashable]) -> None:
        """Removes requests. Unknown keys are ignored."""
        leaving = [place for place, key in self._keys() if key in keys]
        self._free(np.array(leaving, np.intp))

    def step(self) -> list[Answer]:
        """Extends every request by one token. Returns the finished ones, best hypothesis first."""
        if self._is_changed:
            self._read_requests()
        self._advance()
        some_ended = self._collect()
        beams = self._beams
        if not some_ended and not beams.may_be_finished():
            return []
        bounds = beams.upper_bounds()
        check_numbers(bounds[beams.in_use])
        done = np.flatnonzero(beams.in_use & ~(bounds > beams.nth_best_score))
        answers = [(self._slots[g].request.key, self._slots[g].best()) for g in done.tolist()]
        self._free(done)
        return answers

    def final_tokens(self, after: Mapping[Hashable, int]) -> dict[Hashable, tuple[int, ...]]:
        """Returns the tokens on which all hypotheses of a request agree, beyond the first
        `after[key]`; requests without any are left out."""
        found = {
            key: self._final_tokens(place, after[key])
            for place, key in self._keys()
            if key in after
        }
        return {key: tokens for key, tokens in found.items() if tokens}

    def _keys(self) -> list[tuple[int, Hashable]]:
        """Returns the slot and the key of each request in search."""
        places = enumerate(self._slots)
        return [(place, slot.request.key) for place, slot in places if slot is not _FREE]

    def _final_tokens(self, place: int, known: int) -> tuple[int, ...]:
        """Returns the tokens beyond the first `known` on which all hypotheses of the request in
        slot `place` agree."""
        beams = self._beams
        length = int(beams.lengths[place])
        live = beams.tokens[place, beams.live[place], known:length].tolist()
        ended = [each.tokens[known:] for each in self._slots[place].best()]
        places = zip(*live, *ended, strict=False)
        agree = itertools.takewhile(lambda each: len(set(each)) == 1, places)
        return tuple(each[0] for each in agree)

    def _free(self, slots: Indices) -> None:
        """Frees `slots` and steps no more slots than needed from now on."""
        if not slots.size:
            return
        for slot in slots.tolist():
            self._slots[slot] = _FREE
        if all(slot is _FREE for slot in self._slots):
            self._slots.clear()
            return
        self._beams.free(slots)
        self._table.free(slots)
        count, origins, free = compaction(self._beams.in_use)
        if origins.size:
            self._move(origins, free)
        del self._slots[count:]
        self._beams.resize(count)
        self._is_changed = True

    def _move(self, origins: Indices, slots: Indices) -> None:
        """Moves the requests in the slots `origins` to the free `slots`."""
        self._table.move(origins, slots)
        self._beams.move(origins, slots)
        for origin, slot in zip(origins.tolist(), slots.tolist(), strict=True):
            self._slots[slot] = self._slots[origin]

    def _read_requests(self) -> None:
        """Computes everything that stays constant until a request starts or ends."""
        self._is_changed = False
        self._beams.refresh()
        requests, options = [slot.request for slot in self._slots], self._beams.options
        self._constraints = TokenConstraints(
            requests, options, eos_id=self._eos_id, blocked_ids=self._blocked_ids
        )
        self._phrases, self._sampler, self._top_k = None, None, self._width
        if self._beams.features & SAMPLING:
            self._sampler = Sampler(options, [slot.rng for slot in self._slots])
            self._top_k = max(self._top_k, self._sampler.max_top_k)
        if any(request.required for request in requests):
            self._phrases = PhraseConstraints(requests)
            self._top_k += self._phrases.extra_candidates

    def _advance(self) -> None:
        """Steps the engine and chooses continuations, including those that have just ended."""
        beams = self._beams
        constraints = self._step_constraints()
        top_k = self._top_k + constraints.extra_candidates
        result = self._step_engine(top_k, self._wanted(constraints))
        if self._width == 1 and self._sampler is None and self._phrases is None:
            tokens, steps = constraints.likeliest(result.tokens[:, 0], result.logprobs[:, 0])
            tokens, logprobs = tokens.reshape(-1, 1), beams.logprobs + steps.reshape(-1, 1)
            beams.advance(None, tokens, logprobs, result.attention_weights)
        else:
            self._choose(constraints, result)

    def _step_engine(self, top_k: int, wanted: Int32 | None) -> StepResult:
        """Returns the result of a step for all rows. The `wanted` tokens `(rows, n)`, -1 for none,
        are appended to the likeliest tokens."""
        beams = self._beams
        parents = beams.parents if self._width > 1 else None
        if wanted is not None:
            wanted = wanted.reshape(len(beams), self._width, -1)
        result = self._table.step(
            parents, beams.last, top_k, wanted, with_attention=beams.needs_attention
        )
        if wanted is None:
            return result
        wanted_only = wanted_logprobs(result)
        is_among = (wanted[..., None] == result.tokens[:, :, None]).any(axis=3)
        is_among |= np.tril(wanted[..., None] == wanted[:, :, None], -1).any(axis=3)
        logprobs = np.where(is_among | (wanted < 0), -np.inf, wanted_only)
        return replace(
            result,
            tokens=np.concatenate([result.tokens, wanted.clip(min=0)], axis=2),
            logprobs=np.concatenate([result.logprobs, logprobs], axis=2),
        )

    def _step_constraints(self) -> StepConstraints:
        constraints = self._constraints.at_step(self._histories)
        if self._phrases is None:
            return constraints
        unmet = ~self._phrases.is_met(*self._progress())
        return replace(
            constraints,
            is_eos_too_early=unmet
            if constraints.is_eos_too_early is None
            else unmet | constraints.is_eos_too_early,
        )

    def _wanted(self, constraints: StepConstraints) -> Int32 | None:
        """Returns the tokens that must be among each row's candidates, -1 for none."""
        wanted = [] if constraints.forced is None else [constraints.forced[:, None]]
        if self._phrases is not None:
            wanted.append(self._phrases.wanted(*self._progress()))
        return np.concatenate(wanted, axis=1) if wanted else None

    def _progress(self) -> tuple[Int32, Indices]:
        """Returns each row's progress with the required phrases, and its slot."""
        progress = self._beams.progress
        return progress.reshape(-1, progress.shape[2]), self._beams.row_slots

    def _histories(self) -> Histories:
        beams = self._beams
        slots = beams.row_slots
        tokens = beams.tokens[:, :, : max(1, beams.longest)]
        by_row = tokens.reshape(len(slots), -1)
        return Histories(by_row, beams.lengths[slots], beams.last.ravel(), slots)

    def _choose(self, constraints: StepConstraints, result: StepResult) -> None:
        """Continues the beams with each request's best, or sampled, candidates."""
        beams = self._beams
        count, width, top_k = result.tokens.shape
        rows = count * width, top_k
        check_numbers(result.logprobs[:, :, 0])
        tokens = result.tokens.reshape(rows)
        allowed = constraints.apply(tokens, result.logprobs.reshape(rows))
        steps = allowed.reshape(result.tokens.shape)
        logprobs = beams.logprobs[:, :, None] + steps
        ranked = _with_diversity(logprobs, beams).reshape(count, -1)
        chosen = np.argsort(-ranked, axis=1, kind="stable")[:, :width]
        reached = None
        if self._phrases is not None:
            constrained = self._phrases.has_phrases
            after = self._phrases.after(*self._progress(), tokens)
            reached = after.reshape(count, width * top_k, -1)
            banks = self._phrases.banks(reached)
            chosen[constrained] = allocate_beam(ranked[constrained], banks[constrained], width)
        has_room = np.arange(width) < beams.widths[:, None]
        if self._sampler is not None:
            is_sampled = self._sampler.is_sampled[:, None]
            chosen = np.where(is_sampled, self._sampler.draw(steps), chosen)
            has_room |= is_sampled
        places = chosen + np.arange(count)[:, None] * (width * top_k)
        beams.advance(
            places // top_k,
            result.tokens.take(places),
            np.where(has_room, logprobs.take(places), -np.inf),
            result.attention_weights,
            None if reached is None else np.take_along_axis(reached, chosen[:, :, None], axis=1),
        )

    def _collect(self) -> bool:
        """Moves hypotheses that have ended or reached `max_tokens` from the beams to the finished
        ones. Returns whether there were any."""
        beams = self._beams
        ended = beams.last == self._eos_id
        if beams.steps_left > 0 and not np.count_nonzero(ended):
            return False
        over = ended = ended & beams.live
        if beams.steps_left <= 0:
            over = ended | beams.live & (beams.lengths >= beams.options["max_tokens"])[:, None]
        places = np.flatnonzero(over)
        if not places.size:
            return False
        scores, are_met = beams.scores(), self._are_met()
        for place in places.tolist():
            g, w = divmod(place, self._width)
            if scores[g, w] < beams.nth_best_score[g]:  # n others are better
                continue
            self._finish(g, w, float(scores[g, w]), bool(ended[g, w]), bool(are_met[g, w]))
        beams.drop(places)
        for g in sorted({place // self._width for place in places.tolist()}):
            best = self._slots[g].best()
            if len(best) == self._slots[g].request.options.n_best:
                is_whole = best[-1].finish_reason == "stop"
                beams.nth_best_score[g] = best[-1].score if is_whole else -np.inf
                beams.some_have_n_best = True
        return True

    def _finish(self, g: int, w: int, score: float, has_ended: bool, is_met: bool) -> None:
        """Adds hypothesis `w` of slot `g` to the finished ones."""
        beams, slot = self._beams, self._slots[g]
        length = int(beams.lengths[g])
        attention = None
        if slot.request.with_attention:
            source_len = len(slot.request.source_ids)
            attention = beams.attention_weights[g, w, :length, :source_len].copy()
        slot.finished.append(
            Hypothesis(
                tokens=tuple(beams.tokens[g, w, : length - has_ended].tolist()),
                logprob=float(beams.logprobs[g, w]),
                score=score,
                finish_reason="stop" if has_ended and is_met else "length",
                contains_required=is_met,
                attention_weights=attention,
            )
        )

    def _are_met(self) -> Bool:
        """Tells which hypotheses contain all required phrases, `(G, W)`."""
        if self._phrases is None:
            return self._beams.live
        return self._phrases.is_met(*self._progress()).reshape(self._beams.live.shape)


def _with_diversity(logprobs: Float64, beams: Beams) -> Float64:
    """Returns `logprobs` `(G, W, K)` for ranking: the k-th best continuation of a hypothesis is
    penalised by k times `diversity` (Li, Monroe and Jurafsky 2016, arXiv:1611.08562), so that fewer
    siblings fill the beam. Ranks beyond a beam's width count as equal.
    """
    if not beams.features & DIVERSITY:
        return logprobs
    ranks = np.argsort(np.argsort(-logprobs, axis=2, kind="stable"), axis=2, kind="stable")
    ranks = np.minimum(ranks, beams.widths[:, None, None])
    return logprobs - beams.options["diversity"][:, None, None] * ranks
