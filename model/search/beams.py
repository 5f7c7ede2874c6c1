"""The live hypotheses of all requests in search, as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.arrays import padded
from model.lazy import lazy
from model.search.options_table import (
    ATTENTION,
    COVERAGE,
    Floats,
    OptionsTable,
    all_features,
    concat_tables,
    options_table,
    penalty,
)
from model.search.requests import SearchRequest

#: The coverage of a source position without attention: its logarithm stays finite.
LEAST_COVERAGE = 1e-9


@dataclass
class Beams:
    """The live hypotheses of all requests: G requests, W the widest beam.

    A hypothesis that does not exist has logprob -inf. Histories begin with the begin-of-sentence id
    and are aligned at the right: request g's own tokens are the last `lengths[g]` columns. Every
    request has a live hypothesis, and leaves when it has none. What only depends on the set of
    requests is computed once.

    Attributes:
        options: `(G,)`, the options of each request; see `model.search.options_table`.
        logprobs: float64 `(G, W)`.
        rows: int32 `(G, W)`, the row of the engine's state that each hypothesis continues.
        tokens: int32 `(G, W, 1 + the longest history)`.
        lengths: int32 `(G,)`, tokens that each request's hypotheses have.
        widths: int32 `(G,)`, hypotheses that may still live: the beam size less the finished.
        worst_kept: float64 `(G,)`, score of the n-th best finished hypothesis, -inf before.
        attention_weights: float32 `(G, W, the longest history, the longest source)`, steps at the
            right, sources at the left; without steps where no request needs them.
        progress: int32 `(G, W, P)`, each hypothesis' progress with each required phrase; see
            `model.search.required`.
        features: bits of the features that any request uses.
        steps_left: tokens until `max_tokens` cuts the first of the requests.
        live: bool `(G, W)`, which hypotheses exist. Row r of a step belongs to the r-th of them.
        is_full: whether all exist.
        some_have_enough: whether some request has `n_best` finished hypotheses.
    """

    options: OptionsTable
    logprobs: Floats
    rows: NDArray[np.int32]
    tokens: NDArray[np.int32]
    lengths: NDArray[np.int32]
    widths: NDArray[np.int32]
    worst_kept: Floats
    attention_weights: NDArray[np.float32]
    progress: NDArray[np.int32]
    features: int = field(init=False)
    steps_left: int = field(init=False)
    live: NDArray[np.bool_] = field(init=False)
    is_full: bool = field(init=False)
    some_have_enough: bool = field(init=False)

    def __post_init__(self) -> None:
        self.features = all_features(self.options)
        self.steps_left = int((self.options["max_tokens"] - self.lengths).min())
        self.some_have_enough = bool(self.worst_kept.max() > -math.inf)
        self._count_live()

    @classmethod
    def start(cls, requests: Sequence[SearchRequest], *, bos_id: int) -> Beams:
        """Builds the beams of requests without tokens, one row of the engine's state for each."""
        options = options_table(requests)
        sizes = options["beam_size"].copy()
        count, width = len(requests), int(sizes.max())
        own_rows = np.arange(count, dtype=np.int32)[:, None]
        logprobs, rows = np.zeros((count, 1)), own_rows
        if width > 1:  # sampling begins with all its hypotheses, which are equal
            begun = np.where(options["temperature"] > 0, sizes, 1)
            exists = np.arange(width) < begun[:, None]
            logprobs, rows = np.where(exists, 0.0, -np.inf), np.where(exists, own_rows, 0)
        return cls(
            options=options,
            logprobs=logprobs,
            rows=rows,
            tokens=np.full((count, width, 1), bos_id, np.int32),
            lengths=np.zeros(count, np.int32),
            widths=sizes,
            worst_kept=np.full(count, -np.inf),
            attention_weights=np.zeros((count, width, 0, 0), np.float32),
            progress=np.zeros((count, width, options["phrases"].max()), np.int32),
        )

    @lazy
    def first_places(self) -> NDArray[np.intp]:
        """Returns the index of each request's first hypothesis among all: `(G, 1)`."""
        count, width = self.logprobs.shape
        return np.arange(count)[:, None] * width

    @lazy
    def _own_rows(self) -> NDArray[np.int32]:
        """Returns the rows of hypotheses that all live and continue themselves, `(G, 1)`."""
        return self.first_places.astype(np.int32)

    def join(self, newcomers: Beams) -> Beams:
        """Returns both sets of requests, the newcomers last. In the engine's state, too, their rows
        follow those of the live hypotheses here."""
        count = np.count_nonzero(self.live)
        rows = self.spread(np.arange(count, dtype=np.int32), 0), newcomers.rows + np.int32(count)
        attention = self.attention_weights, newcomers.attention_weights
        return Beams(
            concat_tables(self.options, newcomers.options),
            concat_padded(self.logprobs, newcomers.logprobs, -np.inf),
            concat_padded(*rows),
            concat_padded(self.tokens, newcomers.tokens, at_right=2),
            np.concatenate((self.lengths, newcomers.lengths)),
            np.concatenate((self.widths, newcomers.widths)),
            np.concatenate((self.worst_kept, newcomers.worst_kept)),
            concat_padded(*attention, at_right=2),
            concat_padded(self.progress, newcomers.progress),
        )

    def keep(self, places: NDArray[np.intp]) -> Beams:
        """Returns the requests at `places` `(n,)`, ascending, without unused columns."""
        options, *arrays = (getattr(self, name).take(places, axis=0) for name in _ARRAYS)
        logprobs, rows, tokens, lengths, widths, worst_kept, attention_weights, progress = arrays
        width = logprobs.shape[1]
        if width > 1:
            live_columns = np.flatnonzero(self.live[places].any(axis=0))
            width = max(int(live_columns[-1]) + 1, int(widths.max()))
        length = int(lengths.max())
        steps = source_len = 0
        if self.features & ATTENTION and all_features(options) & ATTENTION:
            steps, source_len = length, int(options["source_length"].max())
        first = attention_weights.shape[2] - steps
        return Beams(
            options,
            logprobs[:, :width],
            rows[:, :width],
            tokens[:, :width, -length - 1 :],
            lengths,
            widths,
            worst_kept,
            attention_weights[:, :width, first:, :source_len],
            progress[:, :width, : options["phrases"].max()],
        )

    def advance(
        self,
        parents: NDArray[np.intp] | None,
        tokens: NDArray[np.int32],
        logprobs: NDArray[np.float64],
        attention_weights: NDArray[np.float32],
        progress: NDArray[np.int32] | None = None,
    ) -> None:
        """Appends a token to each hypothesis, in place.

        Args:
            parents: `(G, W)`, the column of the hypothesis that each new one continues; None: each
                continues itself, and all live.
            tokens: `(G, W)`, the new tokens.
            logprobs: `(G, W)`, of the hypotheses, with them.
            attention_weights: `(live rows, source_len)`, of each parent.
            progress: `(G, W, P)`, with required phrases; None: there are none.
        """
        if self.features & ATTENTION:
            self.attention_weights = self._attention_with(
                self.spread(attention_weights[:, None], 0.0)
            )
        if parents is None:
            self.rows = self._own_rows
        else:
            places = self.first_places + parents
            rows = places if self.is_full else (np.cumsum(self.live) - 1).take(places)
            self.rows = rows.astype(np.int32)
            self.tokens = gather(self.tokens, places)
            if self.features & ATTENTION:
                self.attention_weights = gather(self.attention_weights, places)
        self.tokens = np.concatenate([self.tokens, tokens[:, :, None]], axis=2)
        if progress is not None:
            self.progress = progress
        self.lengths = self.lengths + 1
        self.steps_left -= 1
        self.logprobs = logprobs
        if logprobs.shape[1] > 1:
            self._count_live()

    def append_tokens(
        self,
        tokens: NDArray[np.int32],
        logprobs: NDArray[np.float64],
        attention_weights: NDArray[np.float32],
    ) -> None:
        """Appends several tokens to the only hypothesis, in place.

        Args:
            tokens: `(steps,)`, the new tokens.
            logprobs: `(1, 1)`, of the hypothesis, with them.
            attention_weights: `(steps, source_len)`.
        """
        if self.features & ATTENTION:
            self.attention_weights = self._attention_with(attention_weights[None, None])
        self.rows = self._own_rows
        self.tokens = np.concatenate([self.tokens, tokens[None, None]], axis=2)
        self.lengths = self.lengths + np.int32(len(tokens))
        self.steps_left -= len(tokens)
        self.logprobs = logprobs

    def drop(self, places: NDArray[np.intp]) -> None:
        """Removes finished hypotheses from their beams, which are narrower from now on. `places`
        are indices among all hypotheses."""
        self.logprobs.put(places, -np.inf)
        self.live.put(places, False)
        np.subtract.at(self.widths, places // self.live.shape[1], 1)
        self.is_full = False

    def _count_live(self) -> None:
        self.live = np.isfinite(self.logprobs)
        self.is_full = np.count_nonzero(self.live) == self.live.size

    def flat(self, array: NDArray[Any]) -> NDArray[Any]:
        """Returns the rows of `array` `(G, W, ...)` of live hypotheses, `(rows, ...)`."""
        return array.reshape(-1, *array.shape[2:]) if self.is_full else array[self.live]

    def spread(self, rows: NDArray[Any], fill: float) -> NDArray[Any]:
        """Returns the opposite of `flat`: `(G, W, ...)`, with `fill` where no hypothesis lives."""
        if self.is_full:
            return rows.reshape(*self.live.shape, *rows.shape[1:])
        spread = np.full((*self.live.shape, *rows.shape[1:]), fill, rows.dtype)
        spread[self.live] = rows
        return spread

    def _attention_with(self, now: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the attention weights so far, and `now` `(G, W, steps, source_len)`."""
        steps, source_len = self.tokens.shape[2] - 1, now.shape[3]
        before = _pad_attention(self.attention_weights[..., :source_len], steps, source_len)
        return np.concatenate([before, now], axis=2)

    def scores(self) -> Floats:
        """Returns the score that each hypothesis would have if it ended here, `(G, W)`."""
        options = self.options
        scores = self.logprobs / penalty(self.lengths, options["length_penalty"])[:, None]
        if self.features & COVERAGE:
            attention = self.attention_weights.sum(axis=2)
            beyond = np.arange(attention.shape[2]) >= options["source_length"][:, None]
            attention = np.where(beyond[:, None], 1.0, np.clip(attention, LEAST_COVERAGE, 1.0))
            coverage = np.log(attention).sum(axis=2)
            scores = scores + options["coverage_penalty"][:, None] * coverage
        return scores

    def upper_bounds(self) -> Floats:
        """Returns an upper bound of the scores that each request's live hypotheses can reach,
        `(G,)`."""
        return np.asarray(self.logprobs.max(axis=1) / self.options["max_length_penalty"])

    def may_be_done(self) -> bool:
        """Tells whether `upper_bounds` could show that some request is done, or broken."""
        if self.some_have_enough:
            return True
        if self.logprobs.shape[1] == 1:
            return not math.isfinite(np.vdot(self.logprobs, self.logprobs))
        return not (self.is_full or self.live.any(axis=1).all())


_ARRAYS = tuple(each.name for each in fields(Beams) if each.init)


def gather(array: NDArray[Any], places: NDArray[np.intp]) -> NDArray[Any]:
    """Returns the entries of `array` `(G, W, ...)` at `places`, indices into both axes as one."""
    flat = array.reshape(-1, *array.shape[2:])
    return np.asarray(flat.take(places, axis=0))


def concat_padded(
    upper: NDArray[Any], lower: NDArray[Any], filling: float = 0, at_right: int | None = None
) -> NDArray[Any]:
    """Concatenates both, each padded to the larger one's size along every other axis: at its end,
    or before its beginning along the axis `at_right`."""
    if upper.shape[1:] == lower.shape[1:]:
        return np.concatenate((upper, lower))
    sizes = [*map(max, upper.shape[1:], lower.shape[1:])]
    both = np.full((len(upper) + len(lower), *sizes), filling, upper.dtype)
    for part, target in ((upper, both[: len(upper)]), (lower, both[len(upper) :])):
        own = [slice(size) for size in part.shape]
        if at_right is not None:
            own[at_right] = slice(target.shape[at_right] - part.shape[at_right], None)
        target[tuple(own)] = part
    return both


def _pad_attention(
    attention_weights: NDArray[np.float32], steps: int, source_len: int
) -> NDArray[np.float32]:
    """Pads with zeros before the first step and after the last source position."""
    earlier = (steps - attention_weights.shape[2], 0)
    later = (0, max(0, source_len - attention_weights.shape[3]))
    return padded(attention_weights, ((0, 0), (0, 0), earlier, later))
