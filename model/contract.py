"""The decoding contract: everything that generates text goes through `encode` and `step`.

A network is known to nothing but its engine; a search knows nothing but this file. NumPy only.
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

#: What an engine carries from step to step. Opaque; its rows lie along the first axis.
State = Any


@dataclass(frozen=True)
class StepResult:
    """What one step says of every row.

    Attributes:
        tokens: int32 `(rows, top_k)`, the likeliest next tokens, best first.
        logprobs: float32 `(rows, top_k)`, their log-probabilities in nats.
        attention_weights: float32 `(rows, source_len)`, rows sum to 1, 0 at padding.
        state: the state after this step, one row for each input row.
        wanted_logprobs: float32 `(rows, n)`, of the tokens that were asked for by name; None if
            none were.
    """

    tokens: Int32
    logprobs: Float32
    attention_weights: Float32
    state: State
    wanted_logprobs: Float32 | None = None


class Engine(Protocol):
    """Runs a network. Its methods return a new state and change none, but for `join`."""

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> State:
        """Reads sources. `source_ids` is `(batch, source_len)`, `source_lengths` `(batch,)` >= 1;
        what stands beyond a row's length changes nothing. Where `use_shortlist` `(batch,)` is True,
        an engine that has shortlists chooses among some likely tokens only. Returns a state of
        `batch` rows."""

    def step(
        self,
        state: State,
        parents: Int32,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
    ) -> StepResult:
        """Feeds one token to each row. `parents` `(rows,)` names the row of `state` that each new
        row continues, in any order and number; `tokens` `(rows,)` is what it reads next. At least
        `top_k` tokens of each row are told, or all that there are; and the log-probabilities of
        the tokens `wanted` `(rows, n)`, however likely they are; -1 asks for none, and what is
        told of it means nothing."""

    def join(self, state: State, parents: Int32, newcomers: State) -> State:
        """Rows that continue `parents` `(rows,)` of `state`, as in `step`, and then all rows of
        `newcomers`. It uses `state` up, and those that it goes back to: their memory may be written
        over. Where it raises an error, it has changed nothing."""


class Sequel(NamedTuple):
    """What the rows of one source are to do.

    Attributes:
        parents, tokens, top_k: of the first step, as in `Engine.step`.
        totals: float64 `(rows,)`, log-probabilities in nats of what rows have said, `tokens`
            included.
        most_steps: to take, >= 1.
    """

    parents: Int32
    tokens: Int32
    top_k: int
    totals: Float64
    most_steps: int


@dataclass(frozen=True)
class Steps:
    """Several steps of rows that read one source, each the likeliest sequel of the one before: of
    all continuations the likeliest are chosen, as many as there are rows.

    Attributes:
        tokens, logprobs, attention_weights: as in `StepResult`, with an axis `steps` before all.
        parents, chosen: int `(steps - 1, rows)`, what was chosen between two steps: the row that
            each row of the next continues, and the token that it reads.
        state: gives the state after a step.
    """

    tokens: Int32
    logprobs: Float32
    attention_weights: Float32
    parents: NDArray[np.int64]
    chosen: Int32
    state: Callable[[int], State]

    @classmethod
    def of_one(cls, result: StepResult) -> Steps:
        """A single one."""
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
        """`step`, and further ones; the numbers are those that `step` gives. Rows read one source.
        It stops early where an end is likely."""


def can_look_ahead(engine: Engine) -> TypeGuard[LookaheadEngine]:
    """Whether it does. (`isinstance` with a protocol takes as long as a step of a search.)"""
    return hasattr(engine, "step_ahead")
