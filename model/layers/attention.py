"""Soft attention over a source: one class per score function, one shared softmax.

Project the keys once per source (`project_keys`) and pass them to every call: nothing is cached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from model.types import Tensor


class Attention(keras.layers.Layer):
    """Base of every attention: energies -> softmax over real tokens -> weighted sum.

    Args:
        dropout: rate at the attention weights while training.

    Call arguments:
        query: decoder states, `(batch, decoder_units)` or `(batch, target_len, decoder_units)`.
        keys: `project_keys(outputs)` of encoder outputs, once per source, `(batch, source_len,
            key_units)`.
        values: `project_values(outputs)`, `(batch, source_len, value_units)`.
        mask: bool, `(batch, source_len)`, True at real tokens, at least one in each row; or
            `(batch, target_len, source_len)`, if queries see different tokens. None: all.

    Returns:
        context_vector `(batch, [target_len,] context_units)`; attention_weights
        `(batch, [target_len,] source_len)`, before dropout: rows sum to 1, 0 at padding.
    """

    def __init__(self, *, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dropout = dropout
        self.noise = keras.layers.Dropout(dropout, name="noise", dtype=self.dtype_policy)

    def build(self, query_shape: Any, values_shape: Any) -> None:
        """Builds the weights; `query_shape` and `values_shape` end in decoder_units and
        encoder_units."""
        self.built = True

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Returns None: a context vector has no padding."""

    def project_keys(self, values: Tensor) -> Tensor:
        """Returns the keys of `values`, `(batch, source_len, key_units)`."""
        return values

    def project_values(self, values: Tensor) -> Tensor:
        """Returns the vectors that attention sums, `(batch, source_len, value_units)`."""
        return values

    def context_units(self, values_units: int) -> int:
        """Returns the size of the context vector for values of `values_units`."""
        return values_units

    def energies(self, query: Tensor, keys: Tensor) -> Tensor:
        """Returns the scores before the softmax, `(batch, target_len, source_len)`."""
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))

    def call(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if len(query.shape) == 3:
            return self.attend(query, keys, values, mask)
        context_vector, attention_weights = self.attend(query[:, None], keys, values, mask)
        return ops.squeeze(context_vector, 1), ops.squeeze(attention_weights, 1)

    def attend(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Attends as `call` does, for a query `(batch, target_len, decoder_units)`."""
        energies = self.energies(query, keys)  # B T S
        attention_weights = masked_softmax(energies, with_query_axis(mask))
        return ops.matmul(self.noise(attention_weights), values), attention_weights

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dropout": self.dropout}


def with_query_axis(mask: Tensor | None) -> Tensor | None:
    """Returns `mask` with a query axis, added to `(batch, source_len)`."""
    return mask if mask is None or len(mask.shape) == 3 else mask[:, None]


def masked_softmax(energies: Tensor, mask: Tensor | None) -> Tensor:
    """Returns the softmax over the last axis, computed in float32 at least, with 0 where the bool
    `mask`, which broadcasts to `energies`, is False."""
    is_double = keras.backend.standardize_dtype(energies.dtype) == "float64"
    exact = energies if is_double else ops.cast(energies, "float32")
    if mask is not None:
        exact = ops.where(mask, exact, ops.full_like(exact, -1e9))
    return ops.cast(ops.softmax(exact, axis=-1), energies.dtype)


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


class AdditiveAttention(Attention):
    """energy_j = v . tanh(W query + b + U values_j).

    Without b this is Luong's "concat" score (2015, arXiv:1508.04025, eq. 8): v . tanh(W [query;
    values_j]) with W split in two.

    Args:
        units: size of the space that query and keys are projected into, >= 1.
        use_bias: whether to add b.

    Raises:
        ValueError: if `units` < 1.

    Reference: Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2.
    """

    def __init__(self, units: int, *, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"units must be at least 1. Received: units={units}")
        self.units = units
        self.use_bias = use_bias

    def build(self, query_shape: Any, values_shape: Any) -> None:
        self.key_projection = keras.layers.Dense(
            self.units, use_bias=False, name="key_projection", dtype=self.dtype_policy
        )
        self.query_projection = keras.layers.Dense(
            self.units, use_bias=self.use_bias, name="query_projection", dtype=self.dtype_policy
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
        joint = ops.expand_dims(self.query_projection(query), 2) + ops.expand_dims(keys, 1)
        vector = ops.cast(self.energy_vector, joint.dtype)
        return ops.sum(ops.tanh(joint) * vector, axis=-1)  # B T S U -> B T S

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "use_bias": self.use_bias}


class MultiHeadAttention(Attention):
    """`heads` parallel scaled dot products, each of size `units / heads`.

    energy_hj = (Q_h query) . (K_h values_j) / sqrt(units / heads);
    context_vector = O [head_1; ...; head_H],  head_h = sum_j weights_hj V_h values_j

    The attention weights returned are the mean over heads.

    Args:
        units: total size of all heads, and size of the context vector.
        heads: divides `units`.

    Raises:
        ValueError: if `heads` does not divide `units`.

    Reference: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.
    """

    def __init__(self, units: int, *, heads: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1 or heads < 1 or units % heads:
            raise ValueError(f"heads must divide units. Received: units={units}, heads={heads}")
        self.units = units
        self.heads = heads

    def build(self, query_shape: Any, values_shape: Any) -> None:
        def projection(name: str, features: int) -> keras.layers.Dense:
            layer = keras.layers.Dense(self.units, name=name, dtype=self.dtype_policy)
            layer.build((None, None, features))
            return layer

        self.query_projection = projection("query_projection", query_shape[-1])
        self.key_projection = projection("key_projection", values_shape[-1])
        self.value_projection = projection("value_projection", values_shape[-1])
        self.output_projection = projection("output_projection", self.units)
        super().build(query_shape, values_shape)

    def context_units(self, values_units: int) -> int:
        return self.units

    def project_keys(self, values: Tensor) -> Tensor:
        """Returns the keys of all heads, `(batch, source_len, units)`."""
        return self.key_projection(values)

    def project_values(self, values: Tensor) -> Tensor:
        """Returns the values of all heads, `(batch, source_len, units)`."""
        return self.value_projection(values)

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Any:
        queries = self.query_projection(query) * (self.units // self.heads) ** -0.5
        queries, keys, values = (self._split_heads(each) for each in (queries, keys, values))
        energies = ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2)))  # B H T S
        mask = with_query_axis(mask)
        attention_weights = masked_softmax(energies, None if mask is None else mask[:, None])
        context = ops.matmul(self.noise(attention_weights), values)
        heads = ops.transpose(context, (0, 2, 1, 3))  # B T H U
        joined = ops.reshape(heads, (*ops.shape(heads)[:2], self.units))
        return self.output_projection(joined), ops.mean(attention_weights, axis=1)

    def _split_heads(self, sequence: Tensor) -> Tensor:
        """Splits heads: `(batch, length, units)` -> `(batch, heads, length, units / heads)`."""
        shape = (*ops.shape(sequence)[:2], self.heads, self.units // self.heads)
        return ops.transpose(ops.reshape(sequence, shape), (0, 2, 1, 3))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "heads": self.heads}


def build_attention(score: str, units: int, *, heads: int = 4, **kwargs: Any) -> Attention:
    """Builds the attention with the given score; `units` is its projection size, if it has one,
    and `heads` applies to `multihead` only.

    Raises:
        ValueError: if the score is unknown.
    """
    if score not in SCORES:
        raise ValueError(f"attention must be one of {', '.join(SCORES)}. Received: {score!r}")
    return SCORES[score](units, heads, **kwargs)


SCORES: dict[str, Callable[..., Attention]] = {
    "additive": lambda units, heads, **kwargs: AdditiveAttention(units, **kwargs),
    "concat": lambda units, heads, **kwargs: AdditiveAttention(units, use_bias=False, **kwargs),
    "dot": lambda units, heads, **kwargs: DotAttention(**kwargs),
    "general": lambda units, heads, **kwargs: GeneralAttention(**kwargs),
    "multihead": lambda units, heads, **kwargs: MultiHeadAttention(units, heads=heads, **kwargs),
}
