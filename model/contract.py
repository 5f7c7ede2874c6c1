"""The decoding contract: everything that generates text goes through `Engine` and `StateTable`.

Only an engine knows its network; a search knows only this file. NumPy only.

A request owns one slot of a table until it ends. A slot has `width` rows, one per hypothesis of a
beam, which share one source. A new request is written to a free slot; the slot of a request that
ends becomes free. Nothing else is copied, except by the rare `move`. The functions at the end
allocate slots and resize arrays over them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from model.errors import EngineError
from model.types import Array, Bool, Float32, Float64, Indices, Int32

#: Encoded sources and the initial decoder states; opaque.
Encoded = Any

#: Requests move to lower slots once fewer than one in this many stepped slots is in use: a free
#: slot costs as much as any other.
SPARSE_FACTOR = 2


@dataclass(frozen=True)
class StepResult:
    """The result of one step, for every row of every slot. Entries of free slots, and of rows whose
    hypotheses have ended, are meaningless.

    Attributes:
        tokens: int32 `(slots, width, top_k)`, the likeliest next tokens, best first.
        logprobs: float32 `(slots, width, top_k)`, their log-probabilities in nats.
        attention_weights: float32 `(slots, width, source_len)`, rows sum to 1, 0 at padding; None
            unless requested.
        wanted_logprobs: float32 `(slots, width, n)`, log-probabilities of the `wanted` tokens; None
            if there are none.
    """

    tokens: Int32
    logprobs: Float32
    attention_weights: Float32 | None = None
    wanted_logprobs: Float32 | None = None


def check_numbers(logprobs: Float32 | Float64) -> None:
    """Checks log-probabilities.

    Raises:
        EngineError: if one is NaN.
    """
    if math.isnan(logprobs.sum()):
        raise EngineError("the network's output is not a number; its weights are broken")


def wanted_logprobs(result: StepResult) -> Float32:
    """Returns the log-probabilities of the wanted tokens.

    Raises:
        EngineError: if there are none.
    """
    if result.wanted_logprobs is None:
        raise EngineError("the engine left out the log-probabilities of wanted tokens")
    return result.wanted_logprobs


@dataclass(frozen=True)
class Limits:
    """Upper bounds of the requests to an engine.

    Attributes:
        rows: rows of a table, and sources that are encoded together.
        source_tokens: tokens of a source.
        target_tokens: tokens that a row reads.
    """

    rows: int
    source_tokens: int
    target_tokens: int


class StateTable(Protocol):
    """The sources and decoder states of requests of one beam width, in fixed slots. For one thread.

    A state is a list of arrays whose first axes are slots and rows. A history, such as the keys and
    values of a Transformer, is an array `(slots, width, steps, units)`: a step writes at the index
    given by the row's number of tokens, `steps` grows through few sizes, and everything beyond a
    row's number of tokens is masked.
    """

    def insert(self, slots: Indices, encoded: Encoded, sources: Indices) -> None:
        """Writes the `sources` `(n,)` of `encoded` to `slots` `(n,)`, both ascending; all rows of a
        slot start equal. A source may occur several times, but in this table only. If it raises an
        error, no slot in use has changed."""

    def move(self, origins: Indices, slots: Indices) -> None:
        """Copies the slots `origins` `(n,)` to the free slots `slots` `(n,)`."""

    def free(self, slots: Indices) -> None:
        """Ends the requests in `slots` `(n,)`; the results of steps there are meaningless."""

    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        """Feeds one token to each row of the first slots; all further slots become free.

        Args:
            parents: `(slots, width)`, the row that each new row continues, numbered slot by slot
                and always within its own slot; None: each row continues itself.
            tokens: `(slots, width)`, the token that each row reads.
            top_k: number of likeliest tokens to return; there may be more, or fewer in a small
                vocabulary.
            wanted: `(slots, width, n)`, tokens whose log-probabilities to return, however unlikely
                they are; results for -1 are meaningless. Not with shortlists.
            with_attention: whether to return attention weights.
        """


class Engine(Protocol):
    """Runs a network.

    Attributes:
        has_shortlist: whether it can restrict the choice to a shortlist of likely tokens.
        compilations: number of programs compiled so far.
    """

    has_shortlist: bool
    compilations: int

    def warm_up(self, limits: Limits) -> None:
        """Compiles in advance everything that requests within `limits` need. An engine that
        compiles by shape compiles larger ones when they occur."""

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> Encoded:
        """Encodes sources. `source_ids` is `(batch, source_len)`, `source_lengths` `(batch,)` >= 1;
        ids beyond a row's length have no effect. `use_shortlist` `(batch,)` tells which sources go
        into tables with shortlists. Thread-safe; changes no state."""

    def new_table(self, width: int, *, use_shortlist: bool) -> StateTable:
        """Builds an empty table whose slots have `width` rows. With `use_shortlist`, if the engine
        has one, its rows choose from the candidates of their sources."""


def lowest_free(in_use: Bool, count: int) -> Indices:
    """Returns the `count` lowest free slots `(count,)`; `in_use` is `(G,)`, for existing slots."""
    used = np.append(in_use, np.zeros(count, bool))
    return np.flatnonzero(~used)[:count]


def compaction(in_use: Bool) -> tuple[int, Indices, Indices]:
    """Returns how many of the slots `(G,)` to step, and the moves to make before: origins and
    slots, `(n,)` each. At least one slot must be in use."""
    used = np.flatnonzero(in_use)
    count = int(used[-1]) + 1
    if used.size * SPARSE_FACTOR >= count:
        return count, used[:0], used[:0]
    return used.size, used[used >= used.size], np.flatnonzero(~in_use[: used.size])


def resized(array: Array, *shape: int) -> Array:
    """Returns `array` cut to `shape`, or padded with zeros at the ends of its axes; a view if it is
    large enough."""
    if array.shape == shape:
        return array
    inside = tuple(slice(min(sizes)) for sizes in zip(array.shape, shape, strict=True))
    if array[inside].shape == shape:
        return array[inside]
    grown = np.zeros(shape, array.dtype)
    grown[inside] = array[inside]
    return grown


def as_slice(places: Indices) -> Any:
    """Returns ascending `places` as a slice if there are no gaps: NumPy reads and writes slices in
    a fraction of the time."""
    if len(places) and places[-1] - places[0] == len(places) - 1:
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
