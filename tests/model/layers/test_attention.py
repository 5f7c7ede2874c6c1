"""Each attention against the equations in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from model.layers.attention import AdditiveAttention, build_attention

BATCH, TARGET, SOURCE, UNITS = 3, 4, 5, 6
MASK = np.arange(SOURCE) < np.array([[5], [3], [1]])


def softmax(energies: np.ndarray) -> np.ndarray:
    powers = np.exp(energies - energies.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def expected_energies(score: str, layer: keras.layers.Layer, query, values) -> np.ndarray:
    weights = {
        each.path.split("/", 1)[-1]: np.array(ops.convert_to_numpy(each)) for each in layer.weights
    }
    if score == "dot":
        return np.einsum("btu,bsu->bts", query, values)
    keys = values @ weights["key_projection/kernel"]
    if score == "general":
        return np.einsum("btu,bsu->bts", query, keys)
    seen = query @ weights["query_projection/kernel"] + weights["query_projection/bias"]
    return np.tanh(seen[:, :, None] + keys[:, None]) @ weights["energy_vector"]


@pytest.fixture
def draw() -> np.random.Generator:
    keras.utils.set_random_seed(3)
    return np.random.default_rng(3)


@pytest.mark.parametrize("score", ["additive", "dot", "general"])
def test_it_computes_its_equations(score: str, draw: np.random.Generator) -> None:
    query = draw.normal(size=(BATCH, TARGET, UNITS)).astype("float32")
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    layer = build_attention(score, 7)
    layer.build(query.shape, values.shape)
    keys = layer.project_keys(ops.convert_to_tensor(values))
    context, weights = layer(ops.convert_to_tensor(query), keys, values, MASK)

    energies = np.where(MASK[:, None], expected_energies(score, layer, query, values), -np.inf)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), softmax(energies), atol=1e-5)
    expected = softmax(energies) @ values
    np.testing.assert_allclose(ops.convert_to_numpy(context), expected, atol=1e-5)


@pytest.mark.parametrize("score", ["additive", "dot", "general"])
def test_one_query_is_a_target_of_length_one(score: str, draw: np.random.Generator) -> None:
    query = draw.normal(size=(BATCH, UNITS)).astype("float32")
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    layer = build_attention(score, 7)
    layer.build(query.shape, values.shape)
    keys = layer.project_keys(ops.convert_to_tensor(values))
    single = layer(ops.convert_to_tensor(query), keys, values, MASK)
    several = layer(ops.convert_to_tensor(query[:, None]), keys, values, MASK)
    for one, many in zip(single, several, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(one), ops.convert_to_numpy(many)[:, 0])


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
