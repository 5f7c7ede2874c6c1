"""The decoding contract: everything that generates text goes through `Engine` and `StateTable`.

Only an engine knows its network; a search knows only this file. NumPy only.

A request owns one slot of a table until it ends. A slot has `width` rows, one for each hypothesis
of a beam, which read one source. A request that comes is written over a free slot; the slot of one
that goes is free. Nothing else is copied, but for the rare `move`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from model.errors import EngineError
from model.types import Bool, Float32, Float64, Int32, Places

#: Encoded sources and the states that decoding begins with; opaque.
Encoded = Any


@dataclass(frozen=True)
class StepResult:
    """The result of one step, for every row of every slot. What it says of free slots, and of rows
    whose hypotheses have ended, means nothing.

    Attributes:
        tokens: int32 `(slots, width, top_k)`, the likeliest next tokens, best first.
        logprobs: float32 `(slots, width, top_k)`, their log-probabilities in nats.
        attention_weights: float32 `(slots, width, source_len)`, rows sum to 1, 0 at padding; None
            unless they were asked for.
        wanted_logprobs: float32 `(slots, width, n)`, of the `wanted` tokens; None if there are
            none.
    """

    tokens: Int32
    logprobs: Float32
    attention_weights: Float32 | None = None
    wanted_logprobs: Float32 | None = None


def check_numbers(logprobs: Float32 | Float64) -> None:
    """Checks that no log-probability is broken.

    Raises:
        EngineError: if one is not a number.
    """
    if math.isnan(logprobs.sum()):
        raise EngineError("the network's output is not a number; its weights are broken")


def wanted_logprobs(result: StepResult) -> Float32:
    """Returns the log-probabilities of the tokens that were wanted.

    Raises:
        EngineError: if there are none.
    """
    if result.wanted_logprobs is None:
        raise EngineError("the engine left out the log-probabilities of wanted tokens")
    return result.wanted_logprobs


@dataclass(frozen=True)
class Limits:
    """The largest requests that an engine will meet.

    Attributes:
        rows: of a table, and sources that are encoded together.
        source_tokens: of a source.
        target_tokens: that a row reads.
    """

    rows: int
    source_tokens: int
    target_tokens: int


class StateTable(Protocol):
    """The sources and decoder states of requests of one beam width, in fixed slots. For one thread.

    A state is a list of arrays whose first axes are slots and rows. A decoder with a history, such
    as the keys and values of a Transformer, keeps it as `(slots, width, steps, units)`: a step
    writes at the place of the row's own number of tokens, `steps` grows in few sizes, and what is
    beyond a row's number is masked.
    """

    def insert(self, slots: Places, encoded: Encoded, sources: Places) -> None:
        """Writes the `sources` `(n,)` of `encoded` over `slots` `(n,)`, both ascending; every row
        of a slot begins alike. A source may come several times, but in this table only. If it
        raises an error, no slot in use has changed."""

    def move(self, origins: Places, slots: Places) -> None:
        """Copies the slots `origins` `(n,)` over `slots` `(n,)`, which are free."""

    def free(self, slots: Places) -> None:
        """Ends the requests in `slots` `(n,)`; what a step computes there means nothing."""

    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        """Feeds one token to each row of the first slots; those beyond are free from now on.

        Args:
            parents: `(slots, width)`, the row that each new row continues, counted slot by slot and
                within its own slot; None: each continues itself.
            tokens: `(slots, width)`, what each row reads.
            top_k: how many of the likeliest tokens to return; more may come, or all that there are.
            wanted: `(slots, width, n)`, tokens whose log-probabilities to return, however unlikely
                they are; what it says of -1 means nothing. Not with shortlists.
            with_attention: whether to return attention weights.
        """


class Engine(Protocol):
    """Runs a network.

    Attributes:
        has_shortlist: whether it can choose from some likely tokens only.
        compilations: programs that were compiled so far.
    """

    has_shortlist: bool
    compilations: int

    def warm_up(self, limits: Limits) -> None:
        """Compiles all that requests within `limits` need, before there is any. Beyond them an
        engine that compiles by shape does so when it meets one."""

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> Encoded:
        """Encodes sources. `source_ids` is `(batch, source_len)`, `source_lengths` `(batch,)` >= 1;
        ids beyond a row's length change nothing. `use_shortlist` `(batch,)` tells which will go
        into tables with shortlists. For any thread; changes nothing."""

    def new_table(self, width: int, *, use_shortlist: bool) -> StateTable:
        """Builds a table without slots, of `width` rows each. With `use_shortlist`, if the engine
        has any, its rows choose from the candidates of their sources."""
