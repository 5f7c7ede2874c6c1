"""Sequence in, one output for each position and the final states out."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.layers.cells import build_recurrent, drop_features

Tensor = Any


class RecurrentEncoder(keras.layers.Layer):
    """A stack of LSTM or GRU layers, uni- or bidirectional.

    Between layers, and before the first, one dropout mask serves all positions of a sequence
    (Gal and Ghahramani 2016, arXiv:1512.05287).

    Args:
        units: size of each direction, >= 1.
        layers: how many, >= 1.
        cell: `gru` or `lstm`.
        bidirectional: whether a second direction reads from the end.
        dropout: rate at each layer's input.

    Call arguments:
        sequence: `(batch, source_len, features)`.
        mask: bool, `(batch, source_len)`, True at real tokens. Padding changes no real output.

    Returns:
        outputs `(batch, source_len, width)`, width being `units` or twice that; the top layer's
        final states, a list of `(batch, width)`: [h], or [h, c] of an LSTM.
    """

    def __init__(
        self,
        units: int,
        *,
        layers: int = 1,
        cell: str = "gru",
        bidirectional: bool = True,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.layers = layers
        self.cell = cell
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.stack = [self._build_layer(i) for i in range(layers)]
        self.noise = keras.layers.Dropout(dropout, name="noise", dtype=self.dtype_policy)

    def _build_layer(self, index: int) -> keras.layers.Layer:
        recurrent = build_recurrent(
            self.cell, self.units, name=f"recurrent_{index}", dtype=self.dtype_policy
        )
        if not self.bidirectional:
            return recurrent
        return keras.layers.Bidirectional(recurrent, name=f"both_{index}", dtype=self.dtype_policy)

    @property
    def width(self) -> int:
        """Size of one output."""
        return self.units * (2 if self.bidirectional else 1)

    def build(self, sequence_shape: Any) -> None:
        features = sequence_shape[-1]
        for layer in self.stack:
            layer.build((None, None, features))
            features = self.width
        self.built = True

    def call(
        self, sequence: Tensor, mask: Tensor, training: bool = False
    ) -> tuple[Tensor, list[Tensor]]:
        states: list[Tensor] = []
        for layer in self.stack:
            sequence = drop_features(self.noise, sequence, training)
            sequence, *states = layer(sequence, mask=mask, training=training)
        if self.bidirectional:  # forward h (c), backward h (c) -> both h (both c)
            half = len(states) // 2
            pairs = zip(states[:half], states[half:], strict=True)
            states = [ops.concatenate(pair, axis=-1) for pair in pairs]
        return sequence, states

    def get_config(self) -> dict[str, Any]:
        own = ("units", "layers", "cell", "bidirectional", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
