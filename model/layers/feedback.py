"""A decoder of vectors that feeds its last output back, with or without attention."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.layers.attention import build_attention
from model.layers.cells import (
    STATE_NAMES,
    CarriedState,
    build_cell,
    draw_dropout_masks_between,
    drop_features,
    gradient_compiles_in_xla,
    run_steps,
    step_cells,
    zeros_like,
)
from model.types import Tensor


@keras.saving.register_keras_serializable("seq2seq")
class FeedbackDecoder(keras.layers.Layer):
    """Recurrent cells that read the previous output, y_{t-1}:

        s_t = cells(s_{t-1}, [y_{t-1}; peeked; v_t]),   y_t = f(W s_t + b)

    `peeked` is a vector that every step reads; v_t the context vector of attention with the top
    cell's h_{t-1} as query. Both are optional.

    Args:
        output_dim: size of y, >= 1.
        hidden_dim: size of each cell, >= 1.
        output_length: number of steps, >= 1; None: the length of `length_like`.
        depth: number of stacked cells, >= 1.
        cell: `lstm` or `gru`.
        share_state: whether all cells share one state, see `model.layers.cells.step_cells`.
        attention: the score, see `build_attention`; None for a decoder without attention.
        activation: f, as in `keras.layers.Dense`; None: the identity.
        dropout: rate on `values` and between cells during training, one mask for all steps.
        unroll: whether to unroll the loop over time.
        stateful: whether to start from the state of the last batch if no state is given.
        weight_options: initializers and regularizers, by Keras' argument names: all of them for
            the cells, those of kernel and bias for W and b too.

    Call arguments:
        first_output: y before the first step, `(batch, output_dim)`.
        state: h (and c) of each cell, `(batch, hidden_dim)`; None: zeros.
        peeked: `(batch, features)`, or None.
        values: what is attended to, `(batch, source_len, features)`, or None.
        mask: bool, `(batch, source_len)`, True at real values; None if all are.
        teacher: target outputs to feed back during training instead of the decoder's own, `(batch,
            output_length, output_dim)`, or None.
        length_like: `(batch, output_length, any)`, used for its length only; pass it
            if, and only if, `output_length` is None.

    Returns:
        outputs `(batch, output_length, output_dim)`; with attention also attention_weights
        `(batch, output_length, source_len)`.
    """

    def __init__(
        self,
        output_dim: int,
        hidden_dim: int,
        output_length: int | None,
        *,
        depth: int = 1,
        cell: str = "lstm",
        share_state: bool = False,
        attention: str | None = None,
        activation: Any = None,
        dropout: float = 0.0,
        unroll: bool = False,
        stateful: bool = False,
        weight_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_dim = output_dim
        self.hidden_dim = hidden_dim
        self.output_length = output_length
        self.depth = depth
        self.cell = cell
        self.share_state = share_state
        self.attention = attention
        self.activation = keras.activations.serialize(keras.activations.get(activation))
        self.dropout = dropout
        self.unroll = unroll
        self.supports_jit = gradient_compiles_in_xla(unroll=unroll)
        self.stateful = stateful
        self.weight_options = weight_options or {}
        policy = self.dtype_policy
        self.cells = [
            build_cell(cell, hidden_dim, name=f"cell_{i}", dtype=policy, **self.weight_options)
            for i in range(depth)
        ]
        self.attend = (
            build_attention(attention, hidden_dim, name="attention", dtype=policy)
            if attention
            else None
        )
        self.projection = keras.layers.Dense(
            output_dim,
            activation=activation,
            name="projection",
            dtype=policy,
            **dense_options(self.weight_options),
        )
        self.noise = keras.layers.Dropout(dropout, name="noise", dtype=policy)
        self.carried: CarriedState | None = None

    @property
    def state_count(self) -> int:
        """Returns the number of tensors in a state."""
        return len(STATE_NAMES[self.cell]) * (1 if self.share_state else self.depth)

    def build(
        self,
        first_output_shape: Any,
        peeked_shape: Any = None,
        values_shape: Any = None,
    ) -> None:
        features = self.output_dim
        if self.attend is not None:
            self.attend.build((None, self.hidden_dim), values_shape)
            features += self.attend.context_units(values_shape[-1])
        if peeked_shape is not None:
            features += peeked_shape[-1]
        for i, cell in enumerate(self.cells):
            cell.build((None, self.hidden_dim if i else features))
        self.projection.build((None, self.hidden_dim))
        if self.stateful:
            self.carried = CarriedState(
                self, self.state_count, self.hidden_dim, first_output_shape[0]
            )
        # Keras' summary reads it.
        self.output_shape = (first_output_shape[0], self.output_length, self.output_dim)
        self.built = True

    def call(
        self,
        first_output: Tensor,
        state: list[Tensor] | None = None,
        peeked: Tensor | None = None,
        values: Tensor | None = None,
        mask: Tensor | None = None,
        teacher: Tensor | None = None,
        length_like: Tensor | None = None,
        training: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        if values is not None:
            values = drop_features(self.noise, values, training)
        keys = None
        if self.attend is not None:
            keys, values = self.attend.project_keys(values), self.attend.project_values(values)
        state = self._begin(first_output) if state is None else state
        noise = None
        if training:
            noise = draw_dropout_masks_between(
                self.noise, first_output, self.hidden_dim, self.depth
            )
        taught = teacher if training else None

        def look(query: Tensor) -> Any:
            return None if self.attend is None else self.attend(query, keys, values, mask)

        def step(carry: list[Tensor], step_input: Tensor | None) -> list[Tensor]:
            last, *state = carry
            seen = [last if taught is None else step_input]
            seen += [] if peeked is None else [peeked]
            seen += [] if self.attend is None else [look(self._query(state))[0]]
            inputs = ops.concatenate(seen, axis=-1)
            top, state = step_cells(
                self.cells, inputs, state, noise=noise, share_state=self.share_state
            )
            return [self.projection(top), *state]

        step_inputs = length_like if taught is None else _one_step_late(first_output, taught)
        length: Any = self.output_length if length_like is None else length_like.shape[1]
        outputs, *states = run_steps(
            step, [first_output, *state], step_inputs, length=length, unroll=self.unroll
        )
        if self.carried is not None:
            self.carried.write([history[:, -1] for history in states])
        if self.attend is None:
            return outputs
        return outputs, look(self._query(_one_step_earlier(state, states)))[1]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Returns None: no output is padding."""

    def reset_state(self) -> None:
        """Resets the state of a stateful decoder to zeros."""
        if self.carried is not None:
            self.carried.reset()

    def _begin(self, first_output: Tensor) -> list[Tensor]:
        if self.carried is not None:
            return self.carried.read()
        return [zeros_like(first_output, self.hidden_dim)] * self.state_count

    def _query(self, state: list[Tensor]) -> Tensor:
        """Returns the top cell's h."""
        return state[-len(STATE_NAMES[self.cell])]

    def get_config(self) -> dict[str, Any]:
        own = (
            "output_dim",
            "hidden_dim",
            "output_length",
            "depth",
            "cell",
            "share_state",
            "attention",
            "activation",
            "dropout",
            "unroll",
            "stateful",
            "weight_options",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _one_step_late(first_output: Tensor, teacher: Tensor) -> Tensor:
    """Returns what each step reads under teacher forcing, y_0 .. y_{T-1}: the first output
    `(batch, output_dim)`, then all but the last of the teacher `(batch, steps, output_dim)`."""
    return ops.concatenate([first_output[:, None], teacher[:, :-1]], axis=1)


def _one_step_earlier(first: list[Tensor], histories: list[Tensor]) -> list[Tensor]:
    """Returns the states before each step, of the first state and the states after each step."""
    return [
        ops.concatenate([start[:, None], history[:, :-1]], axis=1)
        for start, history in zip(first, histories, strict=True)
    ]


def dense_options(weight_options: dict[str, Any]) -> dict[str, Any]:
    """Returns those of `weight_options` that a `keras.layers.Dense` has too."""
    return {name: value for name, value in weight_options.items() if "recurrent" not in name}
