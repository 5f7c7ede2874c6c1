"""The decoding contract: everything that generates text goes through `encode` and `step`.

Only an engine knows its network; a search knows only this file. NumPy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

Int32 = NDArray[np.int32]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

#: More tokens than any vocabulary has.
EVERY_TOKEN = 2**30

#: The state that an engine carries from step to step. Opaque; its rows are along the first axis.
State = Any


@dataclass(frozen=True)
class StepResult:
    """The result of one step, for every row.

    Attributes:
        tokens: int32 `(rows, top_k)`, the likeliest next tokens, best first.
        logprobs: float32 `(rows, top_k)`, their log-probabilities in nats.
        attention_weights: float32 `(rows, source_len)`, rows sum to 1, 0 at padding.
        state: the state after this step, one row for each input row.
        wanted_logprobs: float32 `(rows, n)`, of the `wanted` tokens; None if there are none.
    """

    tokens: Int32
    logprobs: Float32
    attention_weights: Float32
    state: State
    wanted_logprobs: Float32 | None = None


class Engine(Protocol):
    """Runs a network. Its methods return a new state and change none, but for `join`."""

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> State:
        """Encodes sources. `source_ids` is `(batch, source_len)`, `source_lengths` `(batch,)` >= 1;
        ids beyond a row's length change nothing. Where `use_shortlist` `(batch,)` is True, an
        engine that has shortlists chooses from some likely tokens only. Returns a state of `batch`
        rows."""

    def step(
        self,
        state: State,
        parents: Int32,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
    ) -> StepResult:
        """Feeds one token to each row. `parents` `(rows,)` names the row of `state` that each new
        row continues, in any order and number; `tokens` `(rows,)` is the token that it reads.
        Returns at least `top_k` tokens of each row, or all that there are, and the
        log-probabilities of the tokens `wanted` `(rows, n)`, however likely they are; -1 wants
        none, and its log-probability means nothing."""

    def join(self, state: State, parents: Int32, newcomers: State) -> State:
        """Returns the rows that continue `parents` `(rows,)` of `state`, as in `step`, and then all
        rows of `newcomers`. Afterwards `state`, and those from which it came, must not be used:
        their memory may be overwritten. If it raises an error, it has changed nothing."""


class Sequel(NamedTuple):
    """A request for several steps of the rows of one source.

    Attributes:
        parents, tokens, top_k: of the first step, as in `Engine.step`.
        totals: float64 `(rows,)`, log-probabilities in nats of the rows' histories, `tokens`
            included.
        most_steps: the most steps to take, >= 1.
    """

    parents: Int32
    tokens: Int32
    top_k: int
    totals: Float64
    most_steps: int


@dataclass(frozen=True)
class Steps:
    """Several steps of rows that read one source. Between two of them the likeliest of all
    continuations are chosen, as many as there are rows.

    Attributes:
        tokens, logprobs, attention_weights: as in `StepResult`, with an axis `steps` before all.
        parents, chosen: int `(steps - 1, rows)`, the choice between two steps: the row that each
            row of the next continues, and the token that it reads.
        state: returns the state after a step.
    """

    tokens: Int32
    logprobs: Float32
    attention_weights: Float32
    parents: NDArray[np.int64]
    chosen: Int32
    state: Callable[[int], State]

    @classmethod
    def of_one(cls, result: StepResult) -> Steps:
        """Builds it from a single step."""
        rows = len(result.tokens)
        return cls(
            result.tokens[None],
            result.logprobs[None],
            result.attention_weights[None],
            np.zeros((0, rows), np.int64),
            np.zeros((0, rows), np.int32),
            lambda place: result.state,
        )

    def __len__(self) -> int:
        return len(self.tokens)


class LookaheadEngine(Engine, Protocol):
    """An engine that can take several steps at once."""

    def step_ahead(self, state: State, sequel: Sequel) -> Steps:
        """Takes several steps, with the numbers that `step` returns. All rows read one source. It
        stops early where an end is likely."""


def can_look_ahead(engine: Engine) -> TypeGuard[LookaheadEngine]:
    """Tells whether `engine` is a `LookaheadEngine`. (`isinstance` with a protocol takes as long as
    a step of a search.)"""
    return hasattr(engine, "step_ahead")
