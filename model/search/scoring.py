"""Scoring of given targets: pairs of a source and a target are stepped together without choosing
tokens."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from model.contract import (
    Encoded,
    StateTable,
    StepResult,
    check_numbers,
    compaction,
    lowest_free,
    resized,
    wanted_logprobs,
)
from model.search.requests import Answer, Hypothesis, ScoredPair, TokenLogprob
from model.types import Bool, Float32, Float64, Indices, Int32


class _Slot(NamedTuple):
    """A pair in scoring, and what is known of the tokens that it has read, if requested."""

    pair: ScoredPair
    token_logprobs: list[TokenLogprob]


class ScoringBatch:
    """Steps the pairs of scoring requests, each in a slot of one row until its target ends.

    Args:
        table: an empty table of the engine, of width 1, over the whole vocabulary.
        bos_id: the token with which every target begins.
        eos_id: the token that ends a target.
        blocked_ids: tokens that are never among the likeliest ones.
    """

    def __init__(
        self, table: StateTable, *, bos_id: int, eos_id: int, blocked_ids: Sequence[int]
    ) -> None:
        self._table = table
        self._bos_id = bos_id
        self._eos_id = eos_id
        self._blocked_ids = blocked_ids
        self._slots: list[_Slot] = []  # free ones hold any pair
        self._in_use: Bool = np.zeros(0, bool)
        self._targets: Int32 = np.zeros((0, 0), np.int32)  # with their begin and end tokens
        self._read: Int32 = np.zeros(0, np.int32)  # tokens read so far
        # Of targets with their end token; -1: a free slot.
        self._lengths: Int32 = np.zeros(0, np.int32)
        self._logprobs: Float64 = np.zeros(0)
        self._found: dict[Hashable, dict[int, Hypothesis]] = {}  # of each request, by pair

    def __bool__(self) -> bool:
        return bool(self._slots)

    def reserve(self, encoded: Encoded, sources: Indices) -> Indices:
        """Writes sources to free slots, as `Batch.reserve` does."""
        slots = lowest_free(self._in_use, len(sources))
        self._table.insert(slots, encoded, sources)
        return slots

    def insert(self, slots: Indices, pairs: Sequence[ScoredPair]) -> None:
        """Starts `pairs` `(n,)` at the next step, in the `slots` `(n,)` from `reserve`."""
        count = max(len(self._slots), int(slots.max()) + 1)
        longest = max(len(pair.target_ids) for pair in pairs) + 2
        self._resize(count, longest)
        self._slots += [_Slot(pairs[0], [])] * (count - len(self._slots))
        for slot, pair in zip(slots.tolist(), pairs, strict=True):
            tokens = (self._bos_id, *pair.target_ids, self._eos_id)
            self._targets[slot, : len(tokens)] = tokens
            self._lengths[slot] = len(tokens) - 1
            self._slots[slot] = _Slot(pair, [])
            self._found.setdefault(pair.request.key, {})
        self._in_use[slots] = True
        self._read[slots] = 0
        self._logprobs[slots] = 0.0

    def remove(self, keys: Collection[Hashable]) -> None:
        """Removes requests. Unknown keys are ignored."""
        for key in keys:
            self._found.pop(key, None)
        left = np.array([each.pair.request.key not in self._found for each in self._slots], bool)
        self._free(np.flatnonzero(left & self._in_use))

    def step(self) -> list[Answer]:
        """Reads one token of every target. Returns the requests whose targets have all ended, with
        a hypothesis for each pair, in order."""
        tokens = self._targets[self._rows, self._read]
        self._read += self._in_use
        following = self._targets[self._rows, self._read]
        likeliest = max(each.pair.request.top or 0 for each in self._slots)
        top_k = max(1, likeliest + len(self._blocked_ids))
        result = self._table.step(None, tokens[:, None], top_k, following[:, None, None])
        logprobs = wanted_logprobs(result)[:, 0, 0]
        self._logprobs += logprobs
        self._record(following, logprobs, result)
        ended = np.flatnonzero(self._read == self._lengths)
        if not ended.size:
            return []
        check_numbers(self._logprobs[ended])
        answers = [answer for slot in ended.tolist() for answer in self._finish(slot)]
        self._free(ended)
        return answers

    def final_tokens(self, after: Mapping[Hashable, int]) -> dict[Hashable, tuple[int, ...]]:
        """Returns nothing: answers are not streamed."""
        return {}

    def _record(self, following: Int32, logprobs: Float32, result: StepResult) -> None:
        """Stores the log-probability of each target's next token, where it is requested."""
        for slot in np.flatnonzero(self._in_use).tolist():
            pair, token_logprobs = self._slots[slot]
            if pair.request.top is None:
                continue
            best = zip(
                result.tokens[slot, 0].tolist(), result.logprobs[slot, 0].tolist(), strict=True
            )
            allowed = [each for each in best if each[0] not in self._blocked_ids]
            token_logprobs.append(
                TokenLogprob(
                    int(following[slot]), float(logprobs[slot]), tuple(allowed[: pair.request.top])
                )
            )

    def _finish(self, slot: int) -> list[Answer]:
        """Stores the score of a target that has ended. Returns the answer if it was the last
        one."""
        (pair, token_logprobs), logprob = self._slots[slot], float(self._logprobs[slot])
        request, found = pair.request, self._found[pair.request.key]
        found[pair.pair_index] = Hypothesis(
            tuple(pair.target_ids),
            logprob,
            score=logprob,
            finish_reason="stop",
            token_logprobs=tuple(token_logprobs[:-1]),  # without the end
        )
        if len(found) < len(request.pairs):
            return []
        del self._found[request.key]
        return [(request.key, tuple(found[place] for place in range(len(found))))]

    def _free(self, slots: Indices) -> None:
        """Frees `slots` and steps no more slots than needed from now on."""
        self._in_use[slots] = False
        self._lengths[slots] = -1
        if not self._in_use.any():
            self._slots.clear()
            return
        self._table.free(slots)
        count, origins, free = compaction(self._in_use)
        if origins.size:
            self._table.move(origins, free)
            for name in _ARRAYS:
                array = getattr(self, name)
                array[free] = array[origins]
            for origin, slot in zip(origins.tolist(), free.tolist(), strict=True):
                self._slots[slot] = self._slots[origin]
        self._resize(count)
        del self._slots[count:]

    def _resize(self, count: int, longest: int = 0) -> None:
        """Makes room for `count` slots and for targets of at least `longest` tokens."""
        self._targets = resized(self._targets, count, max(longest, self._targets.shape[1]))
        for name in _ARRAYS:
            array = getattr(self, name)
            setattr(self, name, resized(array, count, *array.shape[1:]))
        self._rows = np.arange(count)


#: The arrays of `ScoringBatch` whose first axis is the slot.
_ARRAYS = ("_in_use", "_targets", "_read", "_lengths", "_logprobs")
