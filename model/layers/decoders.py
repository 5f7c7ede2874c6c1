"""A stack of recurrent layers that attends to a source, over a whole target or step by step."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from model.layers.attention import build_attention
from model.layers.cells import (
    STATE_NAMES,
    build_norms,
    build_recurrent,
    draw_dropout_masks,
    drop_features,
    gradient_compiles_in_xla,
    run_steps,
    step_cells,
    zeros_like,
)
from model.types import Tensor


class Memory(NamedTuple):
    """An encoded source that a decoder attends to.

    Attributes:
        keys: `(batch, source_len, key_units)`, projected once.
        values: the vectors that attention sums, projected once, `(batch, source_len, value_units)`.
        mask: bool, `(batch, source_len)`, True at real tokens.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor


class AttentionDecoder(keras.layers.Layer):
    """Recurrent layers, attention from the top one, and a readout of both.

        s_t = layers(input_t, s_{t-1});  context_vector_t = attention(s_t, memory)
        readout_t = tanh(W [context_vector_t; s_t] + b)

    With input feeding, input_t is `[embedded_t; readout_{t-1}]`, so training runs step by step;
    without it, the layers run over the whole target and attention once over all steps.

    Args:
        units: size of each layer, >= 1.
        readout_units: size of the readout, the input of the output projection, >= 1.
        depth: number of stacked layers, >= 1.
        cell: `gru` or `lstm`.
        attention: the score, see `build_attention`.
        input_feeding: see above.
        heads: of `multihead` attention.
        dropout: rate on each layer's input, one mask for all steps.
        input_dropout: rate at the first layer's input; None: `dropout`.
        recurrent_dropout: rate at each layer's own last output; not with input feeding.
        attention_dropout: rate at the attention weights; not with input feeding.
        residual, layer_norm: as in `RecurrentEncoder`.

    Call arguments:
        embedded: `(batch, target_len, features)`.
        memory: the source.
        state: `initial_state(...)`.

    Returns:
        readouts `(batch, target_len, readout_units)`.

    Reference: Luong et al. 2015, arXiv:1508.04025, sections 3.1 and 3.3.
    """

    def __init__(
        self,
        units: int,
        readout_units: int,
        *,
        depth: int = 1,
        cell: str = "gru",
        attention: str = "general",
        input_feeding: bool = False,
        heads: int = 4,
        dropout: float = 0.0,
        input_dropout: float | None = None,
        recurrent_dropout: float = 0.0,
        attention_dropout: float = 0.0,
        residual: bool = False,
        layer_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.readout_units = readout_units
        self.depth = depth
        self.cell = cell
        self.attention = attention
        self.input_feeding = input_feeding
        self.supports_jit = not input_feeding or gradient_compiles_in_xla(unroll=False)
        self.heads = heads
        self.dropout = dropout
        self.input_dropout = dropout if input_dropout is None else input_dropout
        self.recurrent_dropout = recurrent_dropout
        self.attention_dropout = attention_dropout
        self.residual = residual
        self.layer_norm = layer_norm
        self.state_names = STATE_NAMES[cell]
        self._add_layers()

    def _add_layers(self) -> None:
        policy, depth = self.dtype_policy, self.depth
        self.stack = [
            build_recurrent(
                self.cell,
                self.units,
                recurrent_dropout=self.recurrent_dropout,
                name=f"recurrent_{i}",
                dtype=policy,
            )
            for i in range(depth)
        ]
        self.norms = build_norms(depth if self.layer_norm else 0, policy)
        self.attend = build_attention(
            self.attention,
            self.units,
            heads=self.heads,
            dropout=self.attention_dropout,
            name="attention",
            dtype=policy,
        )
        self.readout = keras.layers.Dense(
            self.readout_units, activation="tanh", name="readout", dtype=policy
        )
        self.bridges = [
            keras.layers.Dense(
                self.units, activation="tanh", name=f"bridge_{i}_{name}", dtype=policy
            )
            for i in range(depth)
            for name in self.state_names
        ]
        self.noise = keras.layers.Dropout(self.dropout, name="noise", dtype=policy)
        self.input_noise = keras.layers.Dropout(
            self.input_dropout, name="input_noise", dtype=policy
        )

    def build(self, embedded_shape: Any, values_shape: Any) -> None:
        """Builds the weights; `embedded_shape` and `values_shape` end in features and
        encoder_units."""
        features = embedded_shape[-1] + (self.readout_units if self.input_feeding else 0)
        for layer in self.stack:
            layer.build((None, None, features))
            features = self.units
        for norm in self.norms:
            norm.build((None, None, self.units))
        self.attend.build((None, None, self.units), values_shape)
        context_units = self.attend.context_units(values_shape[-1])
        self.readout.build((None, None, self.units + context_units))
        for bridge in self.bridges:
            bridge.build((None, values_shape[-1]))
        self.built = True

    def build_memory(self, outputs: Tensor, mask: Tensor) -> Memory:
        """Builds the memory of encoder outputs `(batch, source_len, encoder_units)`."""
        keys, values = self.attend.project_keys(outputs), self.attend.project_values(outputs)
        return Memory(keys, values, mask)

    def initial_state(self, encoder_states: list[Tensor]) -> list[Tensor]:
        """Builds the initial state from the encoder's final states `(batch, width)`: one each for h
        (and c), or one for both.

        Returns `(batch, units)` for each layer's h (and c), then with input feeding the readout of
        zeros, `(batch, readout_units)`.
        """
        kinds = [encoder_states[i % len(encoder_states)] for i in range(len(self.bridges))]
        state = [bridge(kind) for bridge, kind in zip(self.bridges, kinds, strict=True)]
        if self.input_feeding:
            state.append(zeros_like(state[0], self.readout_units))
        return state

    def allocate_cache(self, state: list[Tensor], steps: int) -> list[Tensor]:
        """Returns `state`: its size does not depend on the number of steps."""
        return state

    def call(
        self, embedded: Tensor, memory: Memory, state: list[Tensor], training: bool = False
    ) -> Tensor:
        if self.input_feeding:
            return self._call_step_by_step(embedded, memory, state, training)
        sequence, size = embedded, len(self.state_names)
        for i, layer in enumerate(self.stack):
            below = sequence
            sequence = self.norms[i - 1](sequence) if self.norms and i else sequence
            sequence = drop_features(self.noise if i else self.input_noise, sequence, training)
            initial = state[i * size : (i + 1) * size]
            sequence, *_ = layer(sequence, initial_state=initial, training=training)
            sequence = sequence + below if self.residual and i else sequence
        return self._read_out(sequence, memory)[0]

    def step(
        self,
        embedded: Tensor,
        memory: Memory,
        state: list[Tensor],
        noise: list[Tensor | None] | None = None,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Takes one step: `embedded` is `(batch, features)`; `noise`, a dropout mask for each
        layer's input. Returns the readout `(batch, readout_units)`, attention_weights
        `(batch, source_len)` and the next state."""
        cells = [layer.cell for layer in self.stack]
        fed = [embedded]
        if self.input_feeding:
            *state, last_readout = state
            fed.append(last_readout)
        output, state = step_cells(
            cells,
            ops.concatenate(fed, axis=-1),
            state,
            noise=noise,
            norms=self.norms,
            residual=self.residual,
        )
        readout, attention_weights = self._read_out(output, memory)
        return readout, attention_weights, state + [readout] * self.input_feeding

    def _read_out(self, output: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        context_vector, attention_weights = self.attend(output, *memory)
        return self.readout(ops.concatenate([context_vector, output], -1)), attention_weights

    def _call_step_by_step(
        self, embedded: Tensor, memory: Memory, state: list[Tensor], training: bool
    ) -> Tensor:
        noise = self._draw_dropout_masks(embedded) if training else None

        def step(carry: list[Tensor], step_input: Tensor) -> list[Tensor]:
            return self.step(step_input, memory, carry, noise)[2]

        return run_steps(step, state, embedded, length=embedded.shape[1], unroll=False)[-1]

    def _draw_dropout_masks(self, embedded: Tensor) -> list[Tensor | None]:
        """Draws a mask for each layer's input, to serve at every step; None drops nothing."""
        first = draw_dropout_masks(
            self.input_noise, embedded[:, 0], embedded.shape[-1] + self.readout_units
        )
        others = draw_dropout_masks(self.noise, embedded[:, 0], *[self.units] * (self.depth - 1))
        none: list[Tensor | None] = [None]
        return [*(first or none), *(others or none * (self.depth - 1))]

    def get_config(self) -> dict[str, Any]:
        parts = ("units", "readout_units", "depth", "cell", "attention", "input_feeding", "heads")
        rates = ("dropout", "input_dropout", "recurrent_dropout", "attention_dropout")
        names = (*parts, "residual", "layer_norm", *rates)
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
