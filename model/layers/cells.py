"""Recurrent cells: single, over a sequence, and stacked. Cells and layers are those of Keras."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.types import Tensor

CELLS = {"gru": keras.layers.GRUCell, "lstm": keras.layers.LSTMCell}
STATE_NAMES = {"gru": ("h",), "lstm": ("h", "c")}
#: Added to the variance by layer normalisation.
NORM_EPSILON = 1e-6


class ProjectedInputs(keras.layers.RNN):
    """Base of Keras' recurrent layers for devices without a kernel for all steps, such as cuDNN's:
    projects the inputs of all steps in one product and leaves the rest to the loop."""

    def inner_loop(
        self, sequences: Tensor, initial_state: Any, mask: Any, training: bool = False
    ) -> Any:
        """Returns what Keras' loop over the cell returns: the last output `(batch, units)`, all
        outputs `(batch, length, units)` and the final states. Cells that drop features run in
        Keras' own loop."""
        cell = self.cell
        if cell.dropout or cell.recurrent_dropout:
            return super().inner_loop(sequences, initial_state, mask, training)
        gates = (GRUGates if isinstance(cell, keras.layers.GRUCell) else LSTMGates)(cell)
        loop = keras.layers.RNN(
            gates,
            return_sequences=True,
            go_backwards=self.go_backwards,
            stateful=self.stateful,
            unroll=self.unroll,
        )
        projected = ops.matmul(sequences, cell.kernel) + gates.input_bias
        return loop.inner_loop(projected, initial_state, mask, training)


class GRUGates:
    """The equations of a `GRUCell` after its input is projected; a cell for `keras.layers.RNN`."""

    def __init__(self, cell: keras.layers.GRUCell) -> None:
        self.cell = cell
        self.state_size = cell.state_size
        self.kernel = ops.convert_to_tensor(cell.recurrent_kernel)
        self.input_bias, self.bias = ops.unstack(ops.convert_to_tensor(cell.bias))

    def call(self, projected: Tensor, states: Any) -> tuple[Tensor, list[Tensor]]:
        """Takes a step from h, `(batch, units)`; `projected` is `(batch, 3 * units)`. Returns the
        output and the next states, both h."""
        (h,) = states
        x_z, x_r, x_h = ops.split(projected, 3, axis=-1)
        h_z, h_r, h_h = ops.split(ops.matmul(h, self.kernel) + self.bias, 3, axis=-1)
        z = self.cell.recurrent_activation(x_z + h_z)
        r = self.cell.recurrent_activation(x_r + h_r)
        h = z * h + (1 - z) * self.cell.activation(x_h + r * h_h)
        return h, [h]

    __call__ = call


class LSTMGates:
    """The equations of an `LSTMCell` after its input is projected; a cell for
    `keras.layers.RNN`."""

    def __init__(self, cell: keras.layers.LSTMCell) -> None:
        self.cell = cell
        self.state_size = cell.state_size
        self.kernel = ops.convert_to_tensor(cell.recurrent_kernel)
        self.input_bias = ops.convert_to_tensor(cell.bias)

    def call(self, projected: Tensor, states: Any) -> tuple[Tensor, list[Tensor]]:
        """Takes a step from h and c, `(batch, units)`; `projected` is `(batch, 4 * units)`. Returns
        the output, which is h, and the next states."""
        h, c = states
        sigmoid, tanh = self.cell.recurrent_activation, self.cell.activation
        i, f, g, o = ops.split(projected + ops.matmul(h, self.kernel), 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)
        return h, [h, c]

    __call__ = call


class GRU(keras.layers.GRU, ProjectedInputs):
    """Keras' `GRU` with `ProjectedInputs`."""


class LSTM(keras.layers.LSTM, ProjectedInputs):
    """Keras' `LSTM` with `ProjectedInputs`."""


RECURRENT_LAYERS = {"gru": GRU, "lstm": LSTM}


def build_recurrent(cell: str, units: int, **kwargs: Any) -> keras.layers.RNN:
    """Builds a `GRU` or `LSTM` over a sequence, returning outputs and states. Its `.cell`, Keras'
    own, runs one step with the same weights."""
    if keras.backend.backend() == "torch":
        # PyTorch unrolls loops anyway, and Keras 3.15 fails to unroll a masked backward layer.
        kwargs["unroll"] = False
    options = {**half_precision_initializer(kwargs.get("dtype")), **kwargs}
    return RECURRENT_LAYERS[cell](units, return_sequences=True, return_state=True, **options)


def build_cell(cell: str, units: int, **kwargs: Any) -> keras.layers.Layer:
    """Builds Keras' own cell, `GRUCell` or `LSTMCell`, that runs one step."""
    return CELLS[cell](units, **{**half_precision_initializer(kwargs.get("dtype")), **kwargs})


def half_precision_initializer(dtype: Any) -> dict[str, str]:
    """Returns the recurrent initializer for half-precision weights, for which no backend supports
    orthogonal initialization; an empty dict for other dtypes, which keep Keras' default."""
    is_half = keras.dtype_policies.get(dtype).variable_dtype in ("bfloat16", "float16")
    return {"recurrent_initializer": "glorot_uniform"} if is_half else {}


def step_cells(
    cells: list[keras.layers.Layer],
    inputs: Tensor,
    state: list[Tensor],
    *,
    noise: list[Tensor | None] | None = None,
    share_state: bool = False,
    norms: list[keras.layers.Layer] | None = None,
    residual: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """Runs one step through stacked cells.

    Args:
        cells: bottom first.
        inputs: `(batch, features)`.
        state: h (and c) of each cell in turn, `(batch, units)`; of one cell with `share_state`.
        noise: a dropout mask per cell input; None drops nothing.
        share_state: whether all cells share one state, which passes up the stack within a step and
            from the top cell to the bottom cell of the next step.
        norms: layer normalisations of the cell inputs, except the bottom one.
        residual: whether each cell except the bottom one adds its input to its output.

    Returns:
        the top cell's output `(batch, units)` and the next state.
    """
    size = len(state) if share_state else len(state) // len(cells)
    output, next_state = inputs, list(state[:size]) if share_state else []
    for i, cell in enumerate(cells):
        mask = None if noise is None else noise[i]
        below, output = output, norms[i - 1](output) if norms and i else output
        output = output if mask is None else output * mask
        own = next_state if share_state else state[i * size : (i + 1) * size]
        output, new = cell(output, own)
        output = output + below if residual and i else output
        next_state = list(new) if share_state else [*next_state, *new]
    return output, next_state


def build_norms(depth: int, policy: Any) -> list[keras.layers.LayerNormalization]:
    """Builds the layer normalisations between `depth` layers: before all but the bottom one."""
    return [
        keras.layers.LayerNormalization(epsilon=NORM_EPSILON, name=f"norm_{i}", dtype=policy)
        for i in range(1, depth)
    ]


def draw_dropout_masks(
    dropout: keras.layers.Dropout, like: Tensor, *widths: int
) -> list[Tensor] | None:
    """Draws a mask `(batch, width)` per width, shared by all steps (Gal and Ghahramani 2016,
    arXiv:1512.05287); None at rate 0. `like` `(batch, ...)` gives the batch size and dtype."""
    if not dropout.rate:
        return None
    return [dropout(zeros_like(like, width) + 1, training=True) for width in widths]


def draw_dropout_masks_between(
    dropout: keras.layers.Dropout, like: Tensor, units: int, depth: int
) -> list[Tensor | None] | None:
    """Draws masks as `draw_dropout_masks` does for `depth` cells of `units`, except the bottom
    one, whose input is not dropped."""
    masks = draw_dropout_masks(dropout, like, *[units] * (depth - 1))
    return None if masks is None else [None, *masks]


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
        step: maps a state, and an input or None, to the next state of the same shapes.
        state: each `(batch, units)`.
        inputs: `(batch, length, features)`, one per step, or None.
        length: number of steps; only used if `inputs` is None.
        unroll: whether to unroll the loop over time: faster on short sequences, slower to
            compile.

    Returns:
        the state after each step, `(batch, length, units)`.
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


def gradient_compiles_in_xla(*, unroll: bool) -> bool:
    """Tells whether XLA can compile the gradient of `run_steps`: it needs a bounded loop, and
    Keras' scan on TensorFlow sets no bound. Layers pass the result to Keras as `supports_jit`."""
    return unroll or keras.backend.backend() != "tensorflow"


class CarriedState:
    """The state that a stateful layer carries from one batch to the next.

    Args:
        layer: owns the variables.
        count: number of state tensors.
        units: size of each.
        batch_size: the fixed batch size.

    Raises:
        ValueError: if the batch size is not given.
    """

    def __init__(
        self, layer: keras.layers.Layer, count: int, units: int, batch_size: int | None
    ) -> None:
        if batch_size is None:
            raise ValueError(
                "a stateful model needs a fixed batch size. Give batch_size, or batch_input_shape"
            )
        self._variables = [
            layer.add_weight(
                shape=(batch_size, units), initializer="zeros", trainable=False, name=f"carried_{i}"
            )
            for i in range(count)
        ]

    def read(self) -> list[Tensor]:
        """Returns the initial state, each `(batch, units)`."""
        return [ops.convert_to_tensor(variable) for variable in self._variables]

    def write(self, state: list[Tensor]) -> None:
        """Stores `state` for the next batch."""
        for variable, value in zip(self._variables, state, strict=True):
            variable.assign(value)

    def reset(self) -> None:
        """Resets the state to zeros."""
        self.write([ops.zeros(each.shape, each.dtype) for each in self._variables])


def zeros_like(like: Tensor, units: int) -> Tensor:
    """Returns zeros `(batch, units)` with the batch size and dtype of `like` `(batch, ...)`."""
    return ops.repeat(ops.zeros_like(like[:, :1]), units, axis=1)
