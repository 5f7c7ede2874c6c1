"""The hypotheses of requests of one beam width, and their options, as arrays over fixed slots.

An array of options shows quickly which features no request uses; objects would have to be read one
by one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from model.contract import as_slice, resized
from model.search.requests import SearchRequest
from model.types import Array, Bool, Float32, Float64, Indices, Int32

OptionsTable = NDArray[np.void]

#: Bits of `features`: features of a request that cost time.
SAMPLING, DIVERSITY, ATTENTION, COVERAGE, NGRAMS, MIN_TOKENS, REPETITION, BLOCKED, PREFIX = (
    1 << place for place in range(9)
)

#: The numbers of `SearchOptions` that a search reads from the table. They are not derived from that
#: class, as pydantic would take 10 MiB of a worker.
NUMBERS: dict[str, type[np.generic]] = {
    "beam_size": np.int32,
    "length_penalty": np.float64,
    "min_tokens": np.int32,
    "max_tokens": np.int32,
    "coverage_penalty": np.float64,
    "diversity": np.float64,
    "no_repeat_ngram": np.int32,
    "repetition_penalty": np.float64,
    "temperature": np.float64,
    "top_k": np.int32,
    "top_p": np.float64,
}

OPTIONS_DTYPE = np.dtype(
    [
        ("features", np.int32),
        ("source_length", np.int32),
        ("phrases", np.int32),  # number of required phrases
        ("max_length_penalty", np.float64),  # length penalty of `max_tokens`
        *NUMBERS.items(),
    ]
)

#: Returns these numbers.
_numbers = attrgetter(*NUMBERS)

#: The coverage of a source position without attention, which keeps its logarithm finite.
MIN_COVERAGE = 1e-9

#: Number of tokens by which histories grow at a time.
HISTORY_STEP = 16


class Beams:
    """The live hypotheses of requests: G slots of W hypotheses, one request in a slot.

    A hypothesis that does not exist has logprob -inf. Histories are left-aligned: the tokens of
    slot g are the first `lengths[g]`. Values beyond them, or in a free slot, are meaningless.

    Args:
        width: hypotheses per slot.
        bos_id: the token with which every hypothesis begins; not part of its history.

    Attributes:
        options: `(G,)`, the options of each request, see `options_table`.
        in_use: bool `(G,)`, which slots have a request.
        logprobs: float64 `(G, W)`.
        live: bool `(G, W)`, which hypotheses exist.
        parents: int32 `(G, W)`, the row of the engine's table that each hypothesis continues.
        last: int32 `(G, W)`, the token that each hypothesis reads next.
        tokens: int32 `(G, W, at least the longest history)`.
        lengths: int32 `(G,)`, number of tokens of each request's hypotheses.
        widths: int32 `(G,)`, current beam width: the beam size minus the finished hypotheses.
        nth_best_score: float64 `(G,)`, score of the n-th best finished hypothesis, -inf before.
        attention_weights: float32 `(G, W, steps, source_len)`; no steps if no request needs them.
        progress: int32 `(G, W, P)`, each hypothesis' progress with each required phrase; see
            `model.search.required`.
        features: bits of the features that any request uses.
        steps_left: number of tokens until the first request reaches `max_tokens`.
        longest: number of tokens of the longest history.
        some_have_n_best: whether some request has `n_best` finished hypotheses.
        row_slots: `(G * W,)`, the slot of each row.
    """

    def __init__(self, width: int, *, bos_id: int) -> None:
        self.width = width
        self._bos_id = bos_id
        self.options: OptionsTable = np.zeros(0, OPTIONS_DTYPE)
        self.in_use: Bool = np.zeros(0, bool)
        self.logprobs: Float64 = np.zeros((0, width))
        self.live: Bool = np.zeros((0, width), bool)
        self.parents: Int32 = np.zeros((0, width), np.int32)
        self.last: Int32 = np.zeros((0, width), np.int32)
        self.tokens: Int32 = np.zeros((0, width, 0), np.int32)
        self.lengths: Int32 = np.zeros(0, np.int32)
        self.widths: Int32 = np.zeros(0, np.int32)
        self.nth_best_score: Float64 = np.zeros(0)
        self.attention_weights: Float32 = np.zeros((0, width, 0, 0), np.float32)
        self.progress: Int32 = np.zeros((0, width, 0), np.int32)
        self.features = 0
        self.steps_left = self.longest = 0
        self.some_have_n_best = False

    def __len__(self) -> int:
        return len(self.in_use)

    @property
    def needs_attention(self) -> bool:
        """Tells whether any request needs attention weights."""
        return bool(self.features & ATTENTION)

    def resize(self, count: int) -> None:
        """Adds free slots at the end or removes the last ones, so that there are `count`."""
        known = len(self)
        for name in _ARRAYS:
            array = getattr(self, name)
            if count > known:
                grown = np.zeros((count, *array.shape[1:]), array.dtype)
                grown[:known] = array
                setattr(self, name, grown)
            else:
                setattr(self, name, array[:count])
        self._own_rows = np.arange(count * self.width, dtype=np.int32).reshape(count, self.width)
        self._all_slots = np.arange(count)
        self.row_slots = np.repeat(self._all_slots, self.width)

    def insert(self, slots: Indices, options: OptionsTable) -> None:
        """Starts the hypotheses of new requests in the existing `slots` `(n,)`, ascending."""
        slots = as_slice(slots)
        self.options[slots] = options
        self.in_use[slots] = True
        # Sampling starts with all its hypotheses, which are equal; a beam starts with one.
        begins = (np.arange(self.width) == 0) | (options["temperature"] > 0)[:, None]
        self.live[slots] = begins
        self.logprobs[slots] = np.where(begins, 0.0, -np.inf)
        self.parents[slots] = self._own_rows[slots]
        self.last[slots] = self._bos_id
        self.lengths[slots] = 0
        self.widths[slots] = self.width
        self.nth_best_score[slots] = -np.inf
        self.progress[slots] = 0

    def free(self, slots: Indices) -> None:
        """Ends the requests in `slots` `(n,)`."""
        self.options[slots] = _NEUTRAL
        self.in_use[slots] = self.live[slots] = False
        self.logprobs[slots] = 0.0 if self.width == 1 else -np.inf
        self.lengths[slots] = self.widths[slots] = 0
        self.nth_best_score[slots] = -np.inf

    def move(self, origins: Indices, slots: Indices) -> None:
        """Moves requests from the slots `origins` `(n,)` to the free `slots` `(n,)`."""
        for name in _ARRAYS:
            array = getattr(self, name)
            array[slots] = array[origins]
        distance = ((slots - origins) * self.width).astype(np.int32)
        self.parents[slots] += distance[:, None]
        self.free(origins)

    def refresh(self) -> None:
        """Computes everything that stays constant until a request starts or ends."""
        self.features = all_features(self.options)
        left = (self.options["max_tokens"] - self.lengths)[self.in_use]
        self.steps_left = int(left.min(initial=2**30))
        self.longest = int(self.lengths.max(initial=0))
        self.some_have_n_best = bool(self.nth_best_score.max(initial=-math.inf) > -math.inf)
        phrases = int(self.options["phrases"].max(initial=0))
        self.progress = resized(self.progress, *self.progress.shape[:2], phrases)
        self._resize_histories()

    def _resize_histories(self) -> None:
        """Makes room for another token in every history."""
        shape, room = (len(self), self.width), self.longest // HISTORY_STEP + 1
        steps = room * HISTORY_STEP
        self.tokens = resized(self.tokens, *shape, steps)
        source_len = 0
        if self.needs_attention:
            source_len = int(self.options["source_length"].max())
        elif not self.attention_weights.size:
            return
        steps = steps if source_len else 0
        self.attention_weights = resized(self.attention_weights, *shape, steps, source_len)

    def advance(
        self,
        parents: Indices | None,
        tokens: Int32,
        logprobs: Float64,
        attention_weights: Float32 | None,
        progress: Int32 | None = None,
    ) -> None:
        """Appends a token to each hypothesis.

        Args:
            parents: `(G, W)`, the row of the hypothesis that each new one continues, numbered slot
                by slot; None: each continues itself.
            tokens: `(G, W)`, the new tokens.
            logprobs: `(G, W)`, log-probabilities of the hypotheses, new tokens included.
            attention_weights: `(G, W, source_len)`, weights of each parent, if any request needs
                them.
            progress: `(G, W, P)`, progress with required phrases; None: there are none.
        """
        if self.longest >= self.tokens.shape[2]:
            self._resize_histories()
        if self.needs_attention and attention_weights is not None:
            seen = attention_weights[:, :, : self.attention_weights.shape[3]]
            self.attention_weights[self._all_slots, :, self.lengths] = seen
        if parents is not None:
            self.parents = parents.astype(np.int32)
            self.tokens = gather(self.tokens, parents)
            if self.needs_attention:
                self.attention_weights = gather(self.attention_weights, parents)
        if len(self) == 1:
            self.tokens[0, :, self.longest] = tokens[0]
        else:
            self.tokens[self._all_slots, :, self.lengths] = tokens
        if progress is not None:
            self.progress = progress
        self.last = tokens
        self.lengths += self.in_use
        self.longest += 1
        self.steps_left -= 1
        self.logprobs = logprobs
        if parents is not None:
            self.live = np.isfinite(logprobs)

    def drop(self, places: Indices) -> None:
        """Removes finished hypotheses from their beams, which become narrower. `places` are flat
        indices of hypotheses."""
        self.logprobs.put(places, -np.inf)
        self.live.put(places, False)
        np.subtract.at(self.widths, places // self.width, 1)

    def scores(self) -> Float64:
        """Returns the score of each hypothesis if it ended here, `(G, W)`."""
        options = self.options
        scores = self.logprobs / length_penalty(self.lengths, options["length_penalty"])[:, None]
        if self.features & COVERAGE:
            attention = self._attention_sums()
            beyond = np.arange(attention.shape[2]) >= options["source_length"][:, None]
            attention = np.where(beyond[:, None], 1.0, np.clip(attention, MIN_COVERAGE, 1.0))
            coverage = np.log(attention).sum(axis=2)
            scores = scores + options["coverage_penalty"][:, None] * coverage
        return scores

    def _attention_sums(self) -> Float32:
        """Returns the accumulated attention of each source position, `(G, W, source_len)`."""
        steps = self.attention_weights.shape[2]
        is_own = np.arange(steps) < self.lengths[:, None]
        own = np.where(is_own[:, None, :, None], self.attention_weights, np.float32(0))
        return np.asarray(own.sum(axis=2))

    def upper_bounds(self) -> Float64:
        """Returns an upper bound of the scores that the live hypotheses of each request can reach,
        `(G,)`."""
        return np.asarray(self.logprobs.max(axis=1) / self.options["max_length_penalty"])

    def may_be_finished(self) -> bool:
        """Tells whether `upper_bounds` could show that some request is done or broken."""
        if self.some_have_n_best:
            return True
        if self.width == 1:
            return not math.isfinite(np.vdot(self.logprobs, self.logprobs))
        return not np.array_equal(self.live.any(axis=1), self.in_use)


#: The arrays of `Beams` whose first axis is the slot.
_ARRAYS = (
    "options in_use logprobs live parents last tokens lengths widths nth_best_score "
    "attention_weights progress"
).split()


#: The options of a free slot, which have no effect.
_NEUTRAL = np.zeros((), OPTIONS_DTYPE)
_NEUTRAL["max_length_penalty"] = _NEUTRAL["repetition_penalty"] = _NEUTRAL["top_p"] = 1.0


def options_table(requests: Sequence[SearchRequest]) -> OptionsTable:
    """Builds one record per request, `(G,)`."""
    table = np.array([_record(request) for request in requests], OPTIONS_DTYPE)
    table["max_length_penalty"] = length_penalty(table["max_tokens"], table["length_penalty"])
    return table


def length_penalty(lengths: Int32, alpha: Float64 | float) -> Float64:
    """Returns GNMT's length penalty `((5 + length) / 6) ** alpha` (Wu et al. 2016, eq. 14), in the
    shape of `lengths`, in tokens, the end included."""
    return np.asarray(((5.0 + lengths) / 6.0) ** alpha, np.float64)


def all_features(table: OptionsTable) -> int:
    """Returns the features that any of the requests `(G,)` uses, as bits."""
    return int(np.bitwise_or.reduce(table["features"]))


def _record(request: SearchRequest) -> tuple[float, ...]:
    options = request.options
    features = (
        (options.temperature > 0 and SAMPLING)
        | (options.diversity > 0 and DIVERSITY)
        | (request.needs_attention and ATTENTION)
        | (options.coverage_penalty > 0 and COVERAGE)
        | (options.no_repeat_ngram > 0 and NGRAMS)
        | (options.min_tokens > 0 and MIN_TOKENS)
        | (options.repetition_penalty != 1.0 and REPETITION)
        | (bool(request.blocked) and BLOCKED)
        | (bool(request.prefix_ids) and PREFIX)
    )
    own = len(request.source_ids), len(request.required)
    return (features, *own, 0.0, *_numbers(options))  # 0: computed for all at once


def gather(array: Array, rows: Indices) -> Array:
    """Returns the entries of `array` `(G, W, ...)` at `rows`, flat indices into both axes."""
    flat = array.reshape(-1, *array.shape[2:])
    return np.asarray(flat.take(rows, axis=0))
