"""Transformer: a pre-norm encoder, and the layers that the decoder shares."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from model.layers.attention import MultiHeadAttention
from model.layers.cells import NORM_EPSILON
from model.types import Tensor

#: Base of the wavelengths of position encodings.
LONGEST_WAVE = 10_000.0


def sinusoids(positions: Tensor, units: int, dtype: Any = "float32") -> Tensor:
    """Returns position encodings, `(..., units)` for positions from 0 of any shape `(...)`.

    The first half of an encoding are sines, the second cosines, of position / 10000 ** (2 i /
    units) for i = 0 .. units / 2 - 1.

    Args:
        positions: whole numbers.
        units: an even number.
        dtype: of the result.

    Reference: Vaswani et al. 2017, arXiv:1706.03762, section 3.5, which interleaves the halves.
    """
    steps = ops.arange(0, units, 2, dtype="float32") / units
    angles = ops.cast(positions, "float32")[..., None] * LONGEST_WAVE ** (-steps)
    return ops.cast(ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1), dtype)


class Residual(keras.layers.Layer):
    """Base of a layer of residual sublayers: x + dropout(sublayer(norm(x))).

    Normalisation before the sublayer, not after the sum, trains without a long warm-up (Xiong
    et al. 2020, arXiv:2002.04745).

    Args:
        units: size of every input and output.
        dropout: rate on each sublayer's output.
    """

    def __init__(self, units: int, *, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.dropout = dropout
        self.noise = keras.layers.Dropout(dropout, name="noise", dtype=self.dtype_policy)

    def _norm(self, name: str) -> keras.layers.LayerNormalization:
        return keras.layers.LayerNormalization(
            epsilon=NORM_EPSILON, name=name, dtype=self.dtype_policy
        )

    def add(self, sequence: Tensor, output: Tensor) -> Tensor:
        """Returns the sum of a sublayer's input and its output."""
        return sequence + self.noise(output)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Returns None: consumers of the outputs get the mask as an argument."""


class FeedForward(keras.layers.Layer):
    """Two linear layers with a ReLU between: W_2 ReLU(W_1 x + b_1) + b_2.

    Args:
        units: size of input and output.
        hidden_units: size between them.

    Reference: Vaswani et al. 2017, arXiv:1706.03762, section 3.3.
    """

    def __init__(self, units: int, hidden_units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.hidden_units = hidden_units
        policy = self.dtype_policy
        self.hidden = keras.layers.Dense(
            hidden_units, activation="relu", name="hidden", dtype=policy
        )
        self.output_projection = keras.layers.Dense(units, name="output", dtype=policy)

    def build(self, sequence_shape: Any) -> None:
        self.hidden.build((None, None, self.units))
        self.output_projection.build((None, None, self.hidden_units))
        self.built = True

    def call(self, sequence: Tensor) -> Tensor:
        return self.output_projection(self.hidden(sequence))

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "hidden_units": self.hidden_units}
        return {**super().get_config(), **own}


class TransformerEncoderLayer(Residual):
    """Self-attention, then a feed-forward layer.

    Args:
        units, dropout: as in `Residual`.
        heads: of the attention; divides `units`.
        feed_forward_units: size of the feed-forward layer's hidden layer.
        attention_dropout: rate at the attention weights.

    Call arguments:
        sequence: `(batch, source_len, units)`.
        mask: bool, `(batch, source_len)`, True at real tokens; None: all are.

    Returns:
        outputs `(batch, source_len, units)`.
    """

    def __init__(
        self,
        units: int,
        *,
        heads: int,
        feed_forward_units: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, dropout=dropout, **kwargs)
        self.attend = MultiHeadAttention(
            units, heads=heads, dropout=attention_dropout, name="attend", dtype=self.dtype_policy
        )
        self.attend_norm = self._norm("attend_norm")
        self.feed_forward = FeedForward(
            units, feed_forward_units, name="feed_forward", dtype=self.dtype_policy
        )
        self.feed_forward_norm = self._norm("feed_forward_norm")

    def build(self, sequence_shape: Any) -> None:
        shape = (None, None, self.units)
        self.attend.build(shape, shape)
        for part in (self.attend_norm, self.feed_forward, self.feed_forward_norm):
            part.build(shape)
        self.built = True

    def call(self, sequence: Tensor, mask: Tensor | None = None) -> Tensor:
        seen = self.attend_norm(sequence)
        keys, values = self.attend.project_keys(seen), self.attend.project_values(seen)
        sequence = self.add(sequence, self.attend(seen, keys, values, mask)[0])
        return self.add(sequence, self.feed_forward(self.feed_forward_norm(sequence)))


class TransformerEncoder(Residual):
    """A stack of self-attention and feed-forward layers with position encodings.

    Args:
        units: size of each layer, an even number.
        depth: number of stacked layers, >= 1.
        heads: of the attention; divides `units`.
        feed_forward_units: size of a feed-forward layer's hidden layer.
        dropout: rate on each sublayer's output.
        input_dropout: rate at the input; None: `dropout`.
        attention_dropout: rate at the attention weights.

    Call arguments:
        sequence: `(batch, source_len, features)`; projected if features is not `units`.
        mask: bool, `(batch, source_len)`, True at real tokens. Padding affects no real output.

    Returns:
        outputs `(batch, source_len, units)`; as the only state, their mean over real tokens,
        `[(batch, units)]`.

    Reference: Vaswani et al. 2017, arXiv:1706.03762, section 3.1.
    """

    def __init__(
        self,
        units: int,
        *,
        depth: int = 1,
        heads: int = 4,
        feed_forward_units: int = 1024,
        dropout: float = 0.0,
        input_dropout: float | None = None,
        attention_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, dropout=dropout, **kwargs)
        self.depth = depth
        self.heads = heads
        self.feed_forward_units = feed_forward_units
        self.input_dropout = dropout if input_dropout is None else input_dropout
        self.attention_dropout = attention_dropout
        self.reader = PositionedInput(
            units, dropout=self.input_dropout, name="reader", dtype=self.dtype_policy
        )
        self.stack = [
            TransformerEncoderLayer(
                units,
                heads=heads,
                feed_forward_units=feed_forward_units,
                dropout=dropout,
                attention_dropout=attention_dropout,
                name=f"layer_{i}",
                dtype=self.dtype_policy,
            )
            for i in range(depth)
        ]
        self.norm = self._norm("norm")

    @property
    def width(self) -> int:
        """Returns the size of one output."""
        return self.units

    def build(self, sequence_shape: Any) -> None:
        self.reader.build(sequence_shape)
        for part in (*self.stack, self.norm):
            part.build((None, None, self.units))
        self.built = True

    def call(self, sequence: Tensor, mask: Tensor) -> tuple[Tensor, list[Tensor]]:
        sequence = self.reader(sequence, ops.arange(ops.shape(sequence)[1]))
        for layer in self.stack:
            sequence = layer(sequence, mask)
        outputs = self.norm(sequence)
        is_real = ops.cast(mask, outputs.dtype)[..., None]
        return outputs, [ops.sum(outputs * is_real, axis=1) / ops.sum(is_real, axis=1)]

    def get_config(self) -> dict[str, Any]:
        sizes = ("units", "depth", "heads", "feed_forward_units")
        names = (*sizes, "dropout", "input_dropout", "attention_dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class PositionedInput(keras.layers.Layer):
    """Embeddings of a norm of about 1, scaled up to the size of position encodings and added to
    them.

    Args:
        units: size of the outputs, an even number.
        dropout: rate at the outputs.

    Call arguments:
        embedded: `(..., features)`; projected if features is not `units`.
        positions: from 0, broadcasts to `(...)`. None: no positions are added.

    Returns:
        `(..., units)`.

    Raises:
        ValueError: if `units` is odd.
    """

    def __init__(self, units: int, *, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 2 or units % 2:
            raise ValueError(f"units must be an even number. Received: units={units}")
        self.units = units
        self.dropout = dropout
        self.projection: keras.layers.Dense | None = None
        self.noise = keras.layers.Dropout(dropout, name="noise", dtype=self.dtype_policy)

    def build(self, embedded_shape: Any) -> None:
        features = embedded_shape[-1]
        self.scale = features**0.5
        if features != self.units:
            self.projection = keras.layers.Dense(
                self.units, use_bias=False, name="projection", dtype=self.dtype_policy
            )
            self.projection.build((None, None, features))
        self.built = True

    def call(self, embedded: Tensor, positions: Tensor | None = None) -> Tensor:
        scaled = embedded * self.scale
        scaled = scaled if self.projection is None else self.projection(scaled)
        if positions is not None:
            scaled = scaled + sinusoids(positions, self.units, scaled.dtype)
        return self.noise(scaled)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "dropout": self.dropout}
