"""The live hypotheses of all requests in search, as arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.search.requests import SearchRequest

#: The coverage of a source position that nothing looked at: its logarithm stays finite.
LEAST_COVERAGE = 1e-9


@dataclass
class Beams:
    """The live hypotheses of all requests: G requests, W the widest beam.

    A hypothesis that does not exist has logprob -inf. Histories begin with the begin-of-sentence id
    and stand at the right: request g's own tokens are the last `lengths[g]` columns.

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
        )

    @property
    def live(self) -> NDArray[np.bool_]:
        """Which hypotheses exist, `(G, W)`. Row r of a step belongs to the r-th of them."""
        return np.isfinite(self.logprobs)

    def join(self, newcomers: Beams) -> Beams:
        """Both sets of requests, the newcomers last."""
        both = (self, newcomers)
        shapes = [(*each.tokens.shape[1:], *each.attention_weights.shape[2:]) for each in both]
        common = np.max(shapes, axis=0)
        return _each_field(lambda *pair: np.concatenate(pair), *(b._padded(*common) for b in both))

    def keep(self, requests: NDArray[np.bool_]) -> Beams:
        """Only the requests that are True in `requests` `(G,)`, without unused columns."""
        kept = _each_field(lambda field: field[requests], self)
        live_columns = np.flatnonzero(kept.live.any(axis=0))
        width = max([1, *kept.widths, *(live_columns + 1)])
        length = kept.lengths.max(initial=0)
        first = kept.tokens.shape[2] - 1 - length if kept.follows_attention.any() else None
        source_len = kept.source_lengths.max(initial=0)
        return replace(
            kept,
            logprobs=kept.logprobs[:, :width],
            rows=kept.rows[:, :width],
            tokens=kept.tokens[:, :width, -length - 1 :],
            attention_weights=(
                kept.attention_weights[:, :width, first:, :source_len]
                if first is not None
                else kept.attention_weights[:, :width, :0, :0]
            ),
        )

    def advance(
        self,
        parents: NDArray[np.intp],
        tokens: NDArray[np.int32],
        logprobs: NDArray[np.float64],
        attention_weights: NDArray[np.float32],
    ) -> None:
        """One token more, in place.

        Args:
            parents: `(G, W)`, the column of the hypothesis that each new one continues.
            tokens: `(G, W)`, what it says.
            logprobs: `(G, W)`, its own.
            attention_weights: `(live rows, source_len)`, where each parent looked.
        """
        live = self.live
        if self.follows_attention.any():
            looked = np.zeros((*live.shape, 1, attention_weights.shape[1]), np.float32)
            looked[live] = attention_weights[:, None]
            steps, source_len = self.tokens.shape[2] - 1, attention_weights.shape[1]
            before = _grown(self.attention_weights, steps, source_len)
            self.attention_weights = along(np.concatenate([before, looked], axis=2), parents)
        rows = np.zeros(live.shape, np.int32)
        rows[live] = np.arange(np.count_nonzero(live))
        self.rows = along(rows, parents)
        self.tokens = np.concatenate([along(self.tokens, parents), tokens[:, :, None]], axis=2)
        self.lengths = self.lengths + 1
        self.logprobs = logprobs

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

    def _padded(self, width: int, length: int, steps: int, source_len: int) -> Beams:
        wider = (0, width - self.logprobs.shape[1])
        longer = (length - self.tokens.shape[2], 0)
        return replace(
            self,
            logprobs=np.pad(self.logprobs, ((0, 0), wider), constant_values=-np.inf),
            rows=np.pad(self.rows, ((0, 0), wider)),
            tokens=np.pad(self.tokens, ((0, 0), wider, longer)),
            attention_weights=np.pad(
                _grown(self.attention_weights, steps, source_len), ((0, 0), wider, (0, 0), (0, 0))
            ),
        )


def along(array: NDArray[Any], columns: NDArray[np.intp]) -> NDArray[Any]:
    """`array[g, columns[g, w]]` at `[g, w]`."""
    return np.asarray(array[np.arange(len(array))[:, None], columns])


def penalty(lengths: NDArray[np.int32], alpha: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """GNMT's length penalty `((5 + length) / 6) ** alpha` (Wu et al. 2016, eq. 14)."""
    return np.asarray(((5.0 + lengths) / 6.0) ** alpha, np.float64)


def _grown(
    attention_weights: NDArray[np.float32], steps: int, source_len: int
) -> NDArray[np.float32]:
    """Zeros before the first step and after the last source position."""
    earlier = (steps - attention_weights.shape[2], 0)
    later = (0, max(0, source_len - attention_weights.shape[3]))
    return np.pad(attention_weights, ((0, 0), (0, 0), earlier, later))


def _each_field(function: Callable[..., NDArray[Any]], *beams: Beams) -> Beams:
    """`function` of each field of all `beams`."""
    return Beams(**{name: function(*(getattr(b, name) for b in beams)) for name in vars(beams[0])})
