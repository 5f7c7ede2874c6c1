"""The live hypotheses of all requests in search, as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.arrays import padded
from model.search.requests import SearchRequest

#: More steps than any request takes.
NEVER = 2**30

#: The coverage of a source position that nothing looked at: its logarithm stays finite.
LEAST_COVERAGE = 1e-9


@dataclass
class Beams:
    """The live hypotheses of all requests: G requests, W the widest beam.

    A hypothesis that does not exist has logprob -inf. Histories begin with the begin-of-sentence id
    and stand at the right: request g's own tokens are the last `lengths[g]` columns. Every request
    has a live hypothesis: who has none leaves. What does not change while nobody comes or goes is
    worked out once.

    Attributes:
        follows_attention: bool `(G,)`, whether a request needs what `attention_weights` holds.
        logprobs: float64 `(G, W)`.
        rows: int32 `(G, W)`, the row of the engine's state that each hypothesis continues.
        tokens: int32 `(G, W, 1 + the longest history)`.
        lengths: int32 `(G,)`, tokens that each request's hypotheses have.
        widths: int32 `(G,)`, hypotheses that may still live: the beam size less the finished.
        worst_kept: float64 `(G,)`, score of the n-th best finished hypothesis, -inf before.
        max_tokens: int32 `(G,)`.
        greatest_penalty: float64 `(G,)`, the length penalty of `max_tokens`.
        length_penalty, coverage_penalty, diversity: float64 `(G,)`.
        is_drawn: bool `(G,)`, whether hypotheses are drawn at random.
        source_lengths: int32 `(G,)`.
        attention_weights: float32 `(G, W, the longest history, the longest source)`, steps at the
            right, sources at the left; without steps where no request needs them.
        phrases: int32 `(G,)`, how many each request requires.
        progress: int32 `(G, W, P)`, how far each hypothesis has come with each; see
            `model.search.required`.
        steps_left: tokens until `max_tokens` cuts the first of the requests.
        live: bool `(G, W)`, which hypotheses exist. Row r of a step belongs to the r-th of them.
        is_full: whether all of them do.
        some_have_enough: whether some request has finished as many hypotheses as it answers.
    """

    follows_attention: NDArray[np.bool_]
    logprobs: NDArray[np.float64]
    rows: NDArray[np.int32]
    tokens: NDArray[np.int32]
    lengths: NDArray[np.int32]
    widths: NDArray[np.int32]
    worst_kept: NDArray[np.float64]
    max_tokens: NDArray[np.int32]
    greatest_penalty: NDArray[np.float64]
    length_penalty: NDArray[np.float64]
    coverage_penalty: NDArray[np.float64]
    diversity: NDArray[np.float64]
    is_drawn: NDArray[np.bool_]
    source_lengths: NDArray[np.int32]
    attention_weights: NDArray[np.float32]
    phrases: NDArray[np.int32]
    progress: NDArray[np.int32]
    steps_left: int = field(init=False)
    live: NDArray[np.bool_] = field(init=False)
    is_full: bool = field(init=False)
    some_have_enough: bool = field(init=False)

    def __post_init__(self) -> None:
        self.steps_left = int((self.max_tokens - self.lengths).min(initial=NEVER))
        self.some_have_enough = bool((self.worst_kept > -np.inf).any())
        self._count_live()

    @classmethod
    def start(cls, requests: Sequence[SearchRequest], *, first_row: int, bos_id: int) -> Beams:
        """One empty hypothesis for each request, in consecutive rows of the state; as many as are
        to be drawn where they are drawn."""
        options = [request.options for request in requests]
        sizes = np.array([each.beam_size for each in options], np.int32)
        is_drawn = np.array([each.temperature > 0 for each in options], bool)
        count, width = len(requests), sizes.max(initial=1)
        max_tokens = np.array([each.max_tokens for each in options], np.int32)
        length_penalty = np.array([each.length_penalty for each in options], np.float64)
        phrases = np.array([len(each.required) for each in requests], np.int32)
        exists = np.arange(width) < np.where(is_drawn, sizes, 1)[:, None]
        return cls(
            follows_attention=np.array([each.follows_attention for each in requests], bool),
            logprobs=np.where(exists, 0.0, -np.inf),
            rows=np.where(exists, first_row + np.arange(count)[:, None], 0).astype(np.int32),
            tokens=np.full((count, width, 1), bos_id, np.int32),
            lengths=np.zeros(count, np.int32),
            widths=sizes,
            worst_kept=np.full(count, -np.inf),
            max_tokens=max_tokens,
            greatest_penalty=penalty(max_tokens, length_penalty),
            length_penalty=length_penalty,
            coverage_penalty=np.array([each.coverage_penalty for each in options], np.float64),
            diversity=np.array([each.diversity for each in options], np.float64),
            is_drawn=is_drawn,
            source_lengths=np.array([len(each.source_ids) for each in requests], np.int32),
            attention_weights=np.zeros((count, width, 0, 0), np.float32),
            phrases=phrases,
            progress=np.zeros((count, width, phrases.max(initial=0)), np.int32),
        )

    @cached_property
    def first_places(self) -> NDArray[np.intp]:
        """Where each request's hypotheses begin, counted through all requests: `(G, 1)`."""
        count, width = self.logprobs.shape
        return np.arange(count)[:, None] * width

    @cached_property
    def _own_rows(self) -> NDArray[np.int32]:
        """The rows of hypotheses that all live and continue themselves, `(G, 1)`."""
        return self.first_places.astype(np.int32)

    @cached_property
    def has_draws(self) -> bool:
        """Whether some request's hypotheses are drawn at random."""
        return bool(self.is_drawn.any())

    @cached_property
    def has_diversity(self) -> bool:
        """Whether some request holds siblings back."""
        return bool(self.diversity.any())

    @cached_property
    def follows_any_attention(self) -> bool:
        """Whether some request needs attention weights."""
        return bool(self.follows_attention.any())

    def join(self, newcomers: Beams) -> Beams:
        """Both sets of requests, the newcomers last."""
        both = (self, newcomers)
        shapes = [
            (*each.tokens.shape[1:], *each.attention_weights.shape[2:], each.progress.shape[2])
            for each in both
        ]
        common = tuple(map(max, *shapes))
        ours, theirs = (each._padded(*common) for each in both)
        return Beams(**{name: np.concatenate((ours[name], theirs[name])) for name in ours})

    def keep(self, requests: NDArray[np.bool_]) -> Beams:
        """Only the requests that are True in `requests` `(G,)`, without unused columns."""
        places = np.flatnonzero(requests)
        kept = {name: array.take(places, axis=0) for name, array in self._arrays().items()}
        live_columns = np.flatnonzero(self.live[places].any(axis=0))
        last = int(live_columns[-1]) + 1 if live_columns.size else 1
        width = max(last, int(kept["widths"].max(initial=1)))
        length = int(kept["lengths"].max(initial=0))
        phrases = int(kept["phrases"].max(initial=0))
        steps = source_len = 0
        if kept["follows_attention"].any():
            steps, source_len = length, int(kept["source_lengths"].max())
        first = kept["attention_weights"].shape[2] - steps
        kept["logprobs"] = kept["logprobs"][:, :width]
        kept["rows"] = kept["rows"][:, :width]
        kept["tokens"] = kept["tokens"][:, :width, -length - 1 :]
        kept["attention_weights"] = kept["attention_weights"][:, :width, first:, :source_len]
        kept["progress"] = kept["progress"][:, :width, :phrases]
        return Beams(**kept)

    def advance(
        self,
        parents: NDArray[np.intp] | None,
        tokens: NDArray[np.int32],
        logprobs: NDArray[np.float64],
        attention_weights: NDArray[np.float32],
        progress: NDArray[np.int32] | None = None,
    ) -> None:
        """One token more, in place.

        Args:
            parents: `(G, W)`, the column of the hypothesis that each new one continues; None: each
                continues itself, and all live.
            tokens: `(G, W)`, what it says.
            logprobs: `(G, W)`, its own.
            attention_weights: `(live rows, source_len)`, where each parent looked.
            progress: `(G, W, P)`, how far each has come; None: nothing is required.
        """
        if self.follows_any_attention:
            self.attention_weights = self._looked(self.spread(attention_weights[:, None], 0.0))
        if parents is None:
            self.rows = self._own_rows
        else:
            places = self.first_places + parents
            rows = places if self.is_full else (np.cumsum(self.live) - 1).take(places)
            self.rows = rows.astype(np.int32)
            self.tokens = moved(self.tokens, places)
            if self.follows_any_attention:
                self.attention_weights = moved(self.attention_weights, places)
        self.tokens = np.concatenate([self.tokens, tokens[:, :, None]], axis=2)
        if progress is not None:
            self.progress = progress
        self.lengths = self.lengths + 1
        self.steps_left -= 1
        self.logprobs = logprobs
        if logprobs.shape[1] > 1:
            self._count_live()

    def stride(
        self,
        tokens: NDArray[np.int32],
        logprobs: NDArray[np.float64],
        attention_weights: NDArray[np.float32],
    ) -> None:
        """Several tokens more for the only hypothesis, in place.

        Args:
            tokens: `(steps,)`, what it says.
            logprobs: `(1, 1)`, its own.
            attention_weights: `(steps, source_len)`, where it looked.
        """
        if self.follows_any_attention:
            self.attention_weights = self._looked(attention_weights[None, None])
        self.rows = self._own_rows
        self.tokens = np.concatenate([self.tokens, tokens[None, None]], axis=2)
        self.lengths = self.lengths + np.int32(len(tokens))
        self.steps_left -= len(tokens)
        self.logprobs = logprobs

    def drop(self, request: int, column: int) -> None:
        """Takes a hypothesis that is finished out of its beam, which is narrower from now on."""
        self.logprobs[request, column] = -np.inf
        self.live[request, column] = False
        self.widths[request] -= 1
        self.is_full = False

    def _count_live(self) -> None:
        self.live = np.isfinite(self.logprobs)
        self.is_full = np.count_nonzero(self.live) == self.live.size

    def flat(self, array: NDArray[Any]) -> NDArray[Any]:
        """Of `array` `(G, W, ...)`, a row for each live hypothesis."""
        return array.reshape(-1, *array.shape[2:]) if self.is_full else array[self.live]

    def spread(self, rows: NDArray[Any], fill: float) -> NDArray[Any]:
        """The opposite of `flat`: `(G, W, ...)`, with `fill` where no hypothesis lives."""
        if self.is_full:
            return rows.reshape(*self.live.shape, *rows.shape[1:])
        spread = np.full((*self.live.shape, *rows.shape[1:]), fill, rows.dtype)
        spread[self.live] = rows
        return spread

    def _looked(self, now: NDArray[np.float32]) -> NDArray[np.float32]:
        """What was looked at before, and `now` `(G, W, steps, source_len)`."""
        steps, source_len = self.tokens.shape[2] - 1, now.shape[3]
        before = _grown(self.attention_weights[..., :source_len], steps, source_len)
        return np.concatenate([before, now], axis=2)

    def scores(self) -> NDArray[np.float64]:
        """What each hypothesis would be worth if it ended here, `(G, W)`."""
        scores = self.logprobs / penalty(self.lengths, self.length_penalty)[:, None]
        if self.coverage_penalty.any():
            looked = self.attention_weights.sum(axis=2)
            beyond = np.arange(looked.shape[2]) >= self.source_lengths[:, None]
            looked = np.where(beyond[:, None], 1.0, np.clip(looked, LEAST_COVERAGE, 1.0))
            scores = scores + self.coverage_penalty[:, None] * np.log(looked).sum(axis=2)
        return scores

    def upper_bounds(self) -> NDArray[np.float64]:
        """No end of a live hypothesis of each request can be worth more, `(G,)`."""
        return np.asarray(self.logprobs.max(axis=1) / self.greatest_penalty)

    def may_be_done(self) -> bool:
        """Whether `upper_bounds` can tell that some request is done, or broken."""
        if self.some_have_enough:
            return True
        if self.logprobs.shape[1] == 1:
            return not math.isfinite(np.vdot(self.logprobs, self.logprobs))
        return not (self.is_full or self.live.any(axis=1).all())

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in _ARRAYS}

    def _padded(
        self, width: int, length: int, steps: int, source_len: int, phrases: int
    ) -> dict[str, NDArray[Any]]:
        wider = (0, width - self.logprobs.shape[1])
        longer = (length - self.tokens.shape[2], 0)
        looked = _grown(self.attention_weights, steps, source_len)
        more = (0, phrases - self.progress.shape[2])
        return self._arrays() | {
            "logprobs": padded(self.logprobs, ((0, 0), wider), -np.inf),
            "rows": padded(self.rows, ((0, 0), wider)),
            "tokens": padded(self.tokens, ((0, 0), wider, longer)),
            "attention_weights": padded(looked, ((0, 0), wider, (0, 0), (0, 0))),
            "progress": padded(self.progress, ((0, 0), wider, more)),
        }


_ARRAYS = tuple(each.name for each in fields(Beams) if each.init)


def moved(array: NDArray[Any], places: NDArray[np.intp]) -> NDArray[Any]:
    """Of `array` `(G, W, ...)`, what stands at `places`, counted through both axes."""
    flat = array.reshape(-1, *array.shape[2:])
    return np.asarray(flat.take(places, axis=0))


def penalty(lengths: NDArray[np.int32], alpha: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """GNMT's length penalty `((5 + length) / 6) ** alpha` (Wu et al. 2016, eq. 14)."""
    return np.asarray(((5.0 + lengths) / 6.0) ** alpha, np.float64)


def _grown(
    attention_weights: NDArray[np.float32], steps: int, source_len: int
) -> NDArray[np.float32]:
    """Zeros before the first step and after the last source position."""
    earlier = (steps - attention_weights.shape[2], 0)
    later = (0, max(0, source_len - attention_weights.shape[3]))
    return padded(attention_weights, ((0, 0), (0, 0), earlier, later))
