"""Soft attention over a source: one class for each score, one softmax for all of them.

Keys are projected once for a source (`project_keys`) and given to every call: nothing is cached.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


class Attention(keras.layers.Layer):
    """What every attention shares: energies -> softmax over real tokens -> weighted sum.

    Call arguments:
        query: decoder states, `(batch, decoder_units)` or `(batch, target_len, decoder_units)`.
        keys: `project_keys(values)`, once for a source, `(batch, source_len, key_units)`.
        values: encoder outputs, `(batch, source_len, encoder_units)`.
        mask: bool, `(batch, source_len)`, True at real tokens, at least one in each row.

    Returns:
        context_vector `(batch, [target_len,] encoder_units)`; attention_weights
        `(batch, [target_len,] source_len)`, rows sum to 1, 0 at padding.
    """

    def build(self, query_shape: Any, values_shape: Any) -> None:
        """`query_shape` and `values_shape` end in decoder_units and encoder_units."""
        self.built = True

    def project_keys(self, values: Tensor) -> Tensor:
        """Keys of `values`, `(batch, source_len, key_units)`."""
        return values

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Scores before the softmax, `(batch, target_len, source_len)`."""
        raise NotImplementedError

    def call(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        single = len(query.shape) == 2
        energies = self.energies(ops.expand_dims(query, 1) if single else query, keys)  # B T S
        energies = ops.cast(energies, "float32")
        lowest = ops.full_like(energies, -1e9)
        attention_weights = ops.softmax(ops.where(mask[:, None, :], energies, lowest), axis=-1)
        attention_weights = ops.cast(attention_weights, values.dtype)
        context_vector = ops.matmul(attention_weights, values)  # B T E
        if single:
            return ops.squeeze(context_vector, 1), ops.squeeze(attention_weights, 1)
        return context_vector, attention_weights


class DotAttention(Attention):
    """energy_j = query . values_j. Needs encoder outputs as wide as the decoder.

    Reference: Luong et al. 2015, arXiv:1508.04025, eq. 8 "dot".
    """

    def build(self, query_shape: Any, values_shape: Any) -> None:
        if query_shape[-1] != values_shape[-1]:
            raise ValueError(
                "DotAttention needs queries as wide as values. Received: "
                f"query {query_shape}, values {values_shape}; use GeneralAttention"
            )
        super().build(query_shape, values_shape)

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))


class GeneralAttention(Attention):
    """energy_j = query . (W values_j).

    Reference: Luong et al. 2015, arXiv:1508.04025, eq. 8 "general".
    """

    def build(self, query_shape: Any, values_shape: Any) -> None:
        self.key_projection = keras.layers.Dense(
            query_shape[-1], use_bias=False, name="key_projection", dtype=self.dtype_policy
        )
        self.key_projection.build((None, None, values_shape[-1]))
        super().build(query_shape, values_shape)

    def project_keys(self, values: Tensor) -> Tensor:
        return self.key_projection(values)

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))


class AdditiveAttention(Attention):
    """energy_j = v . tanh(W query + b + U values_j).

    Args:
        units: size of the space in which query and keys meet, >= 1.

    Raises:
        ValueError: if `units` < 1.

    Reference: Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"units must be at least 1. Received: units={units}")
        self.units = units

    def build(self, query_shape: Any, values_shape: Any) -> None:
        self.key_projection = keras.layers.Dense(
            self.units, use_bias=False, name="key_projection", dtype=self.dtype_policy
        )
        self.query_projection = keras.layers.Dense(
            self.units, name="query_projection", dtype=self.dtype_policy
        )
        self.key_projection.build((None, None, values_shape[-1]))
        self.query_projection.build((None, None, query_shape[-1]))
        self.energy_vector = self.add_weight(
            shape=(self.units,), initializer="glorot_uniform", name="energy_vector"
        )
        super().build(query_shape, values_shape)

    def project_keys(self, values: Tensor) -> Tensor:
        return self.key_projection(values)

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        meeting = ops.expand_dims(self.query_projection(query), 2) + ops.expand_dims(keys, 1)
        vector = ops.cast(self.energy_vector, meeting.dtype)
        return ops.sum(ops.tanh(meeting) * vector, axis=-1)  # B T S U -> B T S

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def build_attention(score: str, units: int, **kwargs: Any) -> Attention:
    """The attention of that score: `additive` (in a space of `units`), `dot` or `general`.

    Raises:
        ValueError: if there is no such score.
    """
    if score == "additive":
        return AdditiveAttention(units, **kwargs)
    if score == "dot":
        return DotAttention(**kwargs)
    if score == "general":
        return GeneralAttention(**kwargs)
    raise ValueError(f"attention must be additive, dot or general. Received: attention={score!r}")
