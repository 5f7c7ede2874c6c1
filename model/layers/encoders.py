"""Recurrent encoders: one output per position, and the final states."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.layers.cells import STATE_NAMES, build_norms, build_recurrent, drop_features
from model.types import Tensor


@keras.saving.register_keras_serializable("seq2seq")
class RecurrentEncoder(keras.layers.Layer):
    """A stack of LSTM or GRU layers, uni- or bidirectional.

    One dropout mask is shared by all positions of a sequence (Gal and Ghahramani 2016,
    arXiv:1512.05287).

    Args:
        units: size of each direction, >= 1.
        depth: number of stacked layers, >= 1.
        cell: `gru` or `lstm`.
        bidirectional: whether a second stack reads backward.
        dropout: rate at each layer's input.
        input_dropout: rate at the first layer's input; None: `dropout`.
        recurrent_dropout: rate at each layer's own last output.
        residual: each layer but the first adds its input to its output (He et al. 2016,
            arXiv:1512.03385; in stacks of LSTM: Wu et al. 2016, arXiv:1609.08144).
        layer_norm: the input of each layer but the first is normalised (Ba et al. 2016,
            arXiv:1607.06450).
        unroll, stateful: as in Keras' own layers.
        weight_options: initializers and regularizers of each layer, by Keras' argument names.

    Call arguments:
        sequence: `(batch, source_len, features)`.
        mask: bool, `(batch, source_len)`, True at real tokens. Padding affects no real output.
            None: all are real.

    Returns:
        outputs `(batch, source_len, width)`, width being `units` or twice that; the top layer's
        final states, a list of `(batch, width)`: [h], or [h, c] of an LSTM.
    """

    def __init__(
        self,
        units: int,
        *,
        depth: int = 1,
        cell: str = "gru",
        bidirectional: bool = True,
        dropout: float = 0.0,
        input_dropout: float | None = None,
        recurrent_dropout: float = 0.0,
        residual: bool = False,
        layer_norm: bool = False,
        unroll: bool = False,
        stateful: bool = False,
        weight_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.depth = depth
        self.cell = cell
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.input_dropout = dropout if input_dropout is None else input_dropout
        self.recurrent_dropout = recurrent_dropout
        self.residual = residual
        self.layer_norm = layer_norm
        self.unroll = unroll
        self.stateful = stateful
        self.weight_options = weight_options or {}
        self.forward_stack = [self._build_layer(f"forward_{i}") for i in range(depth)]
        self.backward_stack = [
            self._build_layer(f"backward_{i}", go_backwards=True)
            for i in range(depth if bidirectional else 0)
        ]
        policy = self.dtype_policy
        self.norms = build_norms(depth if layer_norm else 0, policy)
        self.noise = keras.layers.Dropout(dropout, name="noise", dtype=policy)
        self.input_noise = keras.layers.Dropout(
            self.input_dropout, name="input_noise", dtype=policy
        )

    def _build_layer(self, name: str, **options: bool) -> keras.layers.RNN:
        return build_recurrent(
            self.cell,
            self.units,
            unroll=self.unroll,
            stateful=self.stateful,
            recurrent_dropout=self.recurrent_dropout,
            name=name,
            dtype=self.dtype_policy,
            **self.weight_options,
            **options,
        )

    @property
    def width(self) -> int:
        """Returns the size of one output."""
        return self.units * (2 if self.bidirectional else 1)

    def build(self, sequence_shape: Any) -> None:
        batch_size, _, features = sequence_shape
        for stack in (self.forward_stack, self.backward_stack):
            for i, layer in enumerate(stack):
                layer.build((batch_size, None, self.width if i else features))
        for norm in self.norms:
            norm.build((batch_size, None, self.width))
        self.built = True

    def call(
        self, sequence: Tensor, mask: Tensor | None = None, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        states: list[Tensor] = []
        for i in range(self.depth):
            below = sequence
            sequence = self.norms[i - 1](sequence) if self.norms and i else sequence
            sequence = drop_features(self.noise if i else self.input_noise, sequence, training)
            sequence, states = self._read(i, sequence, mask, training)
            sequence = sequence + below if self.residual and i else sequence
        return sequence, states

    def _read(
        self, i: int, sequence: Tensor, mask: Tensor | None, training: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """Returns the outputs and final states of layer i, with both directions concatenated."""
        outputs, *states = self.forward_stack[i](sequence, mask=mask, training=training)
        if not self.bidirectional:
            return outputs, states
        reverse, *others = self.backward_stack[i](sequence, mask=mask, training=training)
        outputs = ops.concatenate([outputs, ops.flip(reverse, axis=1)], axis=-1)
        pairs = zip(states, others, strict=True)
        return outputs, [ops.concatenate(pair, axis=-1) for pair in pairs]

    def compute_output_shape(self, sequence_shape: Any) -> tuple[Any, list[Any]]:
        """Returns the shapes of the outputs and of the final states."""
        batch_size, length, _ = sequence_shape
        states = [(batch_size, self.width)] * len(STATE_NAMES[self.cell])
        return (batch_size, length, self.width), states

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Returns None: consumers of the outputs get the mask as an argument."""

    def reset_state(self) -> None:
        """Resets the states of stateful layers to zeros."""
        for layer in (*self.forward_stack, *self.backward_stack):
            layer.reset_state()

    def get_config(self) -> dict[str, Any]:
        parts = ("units", "depth", "cell", "bidirectional", "residual", "layer_norm")
        rates = ("dropout", "input_dropout", "recurrent_dropout")
        names = (*parts, *rates, "unroll", "stateful", "weight_options")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
