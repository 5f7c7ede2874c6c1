"""The decoder's part of the graphs: what the encoder graph computes for it once, and its step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from training.export.attention import Source
from training.export.graph import Graph, Value
from training.export.linear import Linear
from training.export.quantization import Operand


class StateShape(NamedTuple):
    """Shape of a part of a row's state, `(steps, units)`.

    Attributes:
        units: the last dimension.
        is_history: whether `steps` is dynamic, one per token read; otherwise it is 1.
    """

    units: int
    is_history: bool = False


class StepValues(NamedTuple):
    """Values of a step.

    Attributes:
        readout: `(slots, width, 1, readout_units)`.
        attention_weights: `(slots, width, 1, source_len)`.
        state: the next state.
    """

    readout: Operand
    attention_weights: Value
    state: list[Value]


class DecoderGraph(Protocol):
    """A decoder as nodes.

    Attributes:
        heads: pairs of keys and values of a source.
        keys, values: projections of encoder outputs, `heads` times their units; no keys: the
            outputs themselves.
        state_shapes: parts of a row's state, in order.
    """

    heads: int
    keys: Linear | None
    values: Linear
    state_shapes: Sequence[StateShape]

    def initial_state(self, graph: Graph, finals: Sequence[Value]) -> list[Value]:
        """Adds the state before the first step, each `(batch, 1, steps, units)`, to the encoder
        graph; `finals` are the encoder's final states, `(batch, width)`."""

    def step(
        self, graph: Graph, tokens: Value, state: Sequence[Value], source: Source
    ) -> StepValues:
        """Adds a step to a step graph. `tokens` is `(slots, width, 1)`, `state` each `(slots,
        width, steps, units)`."""
