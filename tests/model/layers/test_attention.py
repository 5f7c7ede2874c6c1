"""Each attention against the equations in NumPy."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from model.layers.attention import SCORES, AdditiveAttention, Attention, build_attention
from tests.model.layers.twins import multihead, softmax

BATCH, TARGET, SOURCE, UNITS = 3, 4, 5, 6
MASK = np.arange(SOURCE) < np.array([[5], [3], [1]])


def weights_of(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    return {
        each.path.split("/", 1)[-1]: np.array(ops.convert_to_numpy(each)) for each in layer.weights
    }


def project(layer: Attention, values: np.ndarray) -> tuple[Any, Any]:
    """What a caller projects once for a source."""
    outputs = ops.convert_to_tensor(values)
    return layer.project_keys(outputs), layer.project_values(outputs)


def expected_energies(
    score: str, w: dict[str, np.ndarray], query: np.ndarray, values: np.ndarray
) -> np.ndarray:
    if score == "dot":
        return np.einsum("btu,bsu->bts", query, values)
    keys = values @ w["key_projection/kernel"]
    if score == "general":
        return np.einsum("btu,bsu->bts", query, keys)
    if score == "concat":  # v . tanh(W [query; values])
        pairs = np.concatenate(
            [
                np.repeat(query[:, :, None], SOURCE, axis=2),
                np.repeat(values[:, None], query.shape[1], axis=1),
            ],
            axis=-1,
        )
        both = np.concatenate([w["query_projection/kernel"], w["key_projection/kernel"]])
        return np.tanh(pairs @ both) @ w["energy_vector"]
    seen = query @ w["query_projection/kernel"] + w["query_projection/bias"]
    return np.tanh(seen[:, :, None] + keys[:, None]) @ w["energy_vector"]


@pytest.fixture
def draw() -> np.random.Generator:
    keras.utils.set_random_seed(3)
    return np.random.default_rng(3)


@pytest.mark.parametrize("score", ["additive", "concat", "dot", "general"])
def test_it_computes_its_equations(score: str, draw: np.random.Generator) -> None:
    query = draw.normal(size=(BATCH, TARGET, UNITS)).astype("float32")
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    layer = build_attention(score, 7)
    layer.build(query.shape, values.shape)
    keys = layer.project_keys(ops.convert_to_tensor(values))
    context, weights = layer(ops.convert_to_tensor(query), keys, values, MASK)

    energies = np.where(
        MASK[:, None], expected_energies(score, weights_of(layer), query, values), -np.inf
    )
    np.testing.assert_allclose(ops.convert_to_numpy(weights), softmax(energies), atol=1e-5)
    expected = softmax(energies) @ values
    np.testing.assert_allclose(ops.convert_to_numpy(context), expected, atol=1e-5)


def test_multihead_computes_its_equations(draw: np.random.Generator) -> None:
    units = 8
    query = draw.normal(size=(BATCH, TARGET, UNITS)).astype("float32")
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    layer = build_attention("multihead", units)
    layer.build(query.shape, values.shape)
    for weight in layer.weights:
        weight.assign(draw.normal(size=weight.shape))
    keys, projected = project(layer, values)
    context, weights = layer(ops.convert_to_tensor(query), keys, projected, MASK)

    expected, expected_weights = multihead(layer, query, values, MASK[:, None])
    np.testing.assert_allclose(ops.convert_to_numpy(context), expected, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), expected_weights, atol=1e-5)


@pytest.mark.parametrize("score", SCORES)
def test_one_query_is_a_target_of_length_one(score: str, draw: np.random.Generator) -> None:
    query = draw.normal(size=(BATCH, UNITS)).astype("float32")
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    layer = build_attention(score, 8)
    layer.build(query.shape, values.shape)
    keys, projected = project(layer, values)
    single = layer(ops.convert_to_tensor(query), keys, projected, MASK)
    several = layer(ops.convert_to_tensor(query[:, None]), keys, projected, MASK)
    for one, many in zip(single, several, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(one), ops.convert_to_numpy(many)[:, 0], atol=1e-5
        )


def test_queries_may_see_different_tokens(draw: np.random.Generator) -> None:
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    is_past = np.tril(np.ones((SOURCE, SOURCE), bool))[None]
    for score in SCORES:
        layer = build_attention(score, UNITS, heads=2)
        layer.build(values.shape, values.shape)
        _, weights = layer(ops.convert_to_tensor(values), *project(layer, values), is_past)
        assert not ops.convert_to_numpy(weights)[:, ~is_past[0]].any()
        np.testing.assert_allclose(ops.convert_to_numpy(weights).sum(-1), 1.0, atol=1e-5)


def test_dropout_drops_attention_but_shows_it_whole(draw: np.random.Generator) -> None:
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    layer = build_attention("general", UNITS, dropout=0.5)
    layer.build(values.shape, values.shape)
    query, (keys, projected) = ops.convert_to_tensor(values), project(layer, values)
    context, weights = layer(query, keys, projected, MASK)
    dropped, shown = layer(query, keys, projected, MASK, training=True)
    np.testing.assert_allclose(ops.convert_to_numpy(shown), ops.convert_to_numpy(weights))
    assert np.abs(ops.convert_to_numpy(dropped) - ops.convert_to_numpy(context)).max() > 0.1


def test_padding_gets_no_weight(draw: np.random.Generator) -> None:
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    layer = build_attention("dot", 7)
    layer.build(values.shape, values.shape)
    query = ops.convert_to_tensor(values[:, 0])
    _, weights = layer(query, ops.convert_to_tensor(values), values, MASK)
    assert not ops.convert_to_numpy(weights)[~MASK].any()


def test_dot_refuses_other_widths() -> None:
    with pytest.raises(ValueError, match="GeneralAttention"):
        build_attention("dot", 7).build((None, 4), (None, None, 6))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="units=0"):
        AdditiveAttention(0)
    with pytest.raises(ValueError, match="'loud'"):
        build_attention("loud", 7)
