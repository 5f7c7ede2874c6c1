"""Recurrent cells, alone, over a sequence and one above the other. Cells and layers are Keras'."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any

RECURRENT_LAYERS = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
CELLS = {"gru": keras.layers.GRUCell, "lstm": keras.layers.LSTMCell}
STATE_NAMES = {"gru": ("h",), "lstm": ("h", "c")}


def build_recurrent(cell: str, units: int, **kwargs: Any) -> keras.layers.RNN:
    """Keras' own `GRU` or `LSTM` over a sequence, returning outputs and states. Its `.cell` runs
    one step with the same weights."""
    return RECURRENT_LAYERS[cell](units, return_sequences=True, return_state=True, **kwargs)


def advance(
    cells: list[keras.layers.Layer],
    inputs: Tensor,
    state: list[Tensor],
    *,
    noise: list[Tensor] | None = None,
    share_state: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """One step through cells one above the other.

    Args:
        cells: the lowest first.
        inputs: `(batch, features)`.
        state: h (and c) of each cell in turn, `(batch, units)`; of one cell with `share_state`.
        noise: a dropout mask for each cell's input.
        share_state: all cells read and write one state: it goes up the stack within a step, and
            from the top to the bottom of the next.

    Returns:
        the top cell's output `(batch, units)` and the next state.
    """
    size = len(state) if share_state else len(state) // len(cells)
    output, next_state = inputs, list(state[:size]) if share_state else []
    for i, cell in enumerate(cells):
        output = output if noise is None else output * noise[i]
        own = next_state if share_state else state[i * size : (i + 1) * size]
        output, new = cell(output, own)
        next_state = list(new) if share_state else [*next_state, *new]
    return output, next_state


def draw_noise(dropout: keras.layers.Dropout, *inputs: Tensor) -> list[Tensor] | None:
    """A mask for each of `inputs` `(batch, features)`, to serve at every step (Gal and Ghahramani
    2016, arXiv:1512.05287); None at rate 0."""
    if not dropout.rate:
        return None
    return [dropout(ops.ones_like(each), training=True) for each in inputs]


def drop_features(dropout: keras.layers.Dropout, sequence: Tensor, training: bool) -> Tensor:
    """Drops the same features at every position of a sequence `(batch, length, features)`."""
    if not training or not dropout.rate:
        return sequence
    return sequence * dropout(ops.ones_like(sequence[:, :1]), training=True)


def run_steps(
    step: Any, state: list[Tensor], inputs: Tensor | None, *, length: int, unroll: bool
) -> list[Tensor]:
    """Runs `state = step(state, input)` over time.

    Args:
        step: what maps a state, and an input or None, to the next state of the same shapes.
        state: each `(batch, units)`.
        inputs: `(batch, length, features)`, one for each step, or None.
        length: how many steps; counts only where `inputs` is None.
        unroll: whether each step becomes a piece of graph of its own: quicker to run where
            sequences are short, slower to compile.

    Returns:
        every state after each step, `(batch, length, units)`.
    """
    by_time = None if inputs is None else ops.transpose(inputs, (1, 0, 2))  # T B F
    if unroll:
        history: list[list[Tensor]] = []
        for t in range(length):
            state = step(state, None if by_time is None else by_time[t])
            history.append(state)
        return [ops.stack(each, axis=1) for each in zip(*history, strict=True)]

    def repeat(carry: list[Tensor], step_input: Tensor | None) -> tuple[list[Tensor], list[Tensor]]:
        carry = step(carry, step_input)
        return carry, carry  # TensorFlow's scan wants outputs shaped like the carry

    _, states = ops.scan(repeat, state, by_time, length=None if inputs is not None else length)
    return [ops.transpose(each, (1, 0, 2)) for each in states]


class CellStack(keras.layers.Layer):
    """Cells one above the other, as one cell for `keras.layers.RNN`.

    Args:
        units: size of each cell, >= 1.
        depth: how many, >= 1.
        cell: `gru` or `lstm`.
        share_state: see `advance`.
    """

    def __init__(
        self, units: int, depth: int, *, cell: str, share_state: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.depth = depth
        self.cell = cell
        self.share_state = share_state
        self.cells = [
            CELLS[cell](units, name=f"cell_{i}", dtype=self.dtype_policy) for i in range(depth)
        ]
        self.output_size = units
        states = len(STATE_NAMES[cell]) * (1 if share_state else depth)
        self.state_size = [units] * states

    def build(self, inputs_shape: Any, states_shape: Any = None) -> None:
        features = inputs_shape[-1]
        for cell in self.cells:
            cell.build((None, features))
            features = self.units
        self.built = True

    def call(
        self, inputs: Tensor, states: list[Tensor], training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        return advance(self.cells, inputs, list(states), share_state=self.share_state)

    def get_config(self) -> dict[str, Any]:
        own = ("units", "depth", "cell", "share_state")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
