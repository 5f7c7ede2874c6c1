"""Each attention against the equations in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from model.layers.attention import SCORES, AdditiveAttention, build_attention

BATCH, TARGET, SOURCE, UNITS = 3, 4, 5, 6
MASK = np.arange(SOURCE) < np.array([[5], [3], [1]])


def softmax(energies: np.ndarray) -> np.ndarray:
    powers = np.exp(energies - energies.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def weights_of(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    return {
        each.path.split("/", 1)[-1]: np.array(ops.convert_to_numpy(each)) for each in layer.weights
    }


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
    units, heads = 8, 4
    query = draw.normal(size=(BATCH, TARGET, UNITS)).astype("float32")
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    layer = build_attention("multihead", units)
    layer.build(query.shape, values.shape)
    for weight in layer.weights:
        weight.assign(draw.normal(size=weight.shape))
    keys = layer.project_keys(ops.convert_to_tensor(values))
    context, weights = layer(ops.convert_to_tensor(query), keys, values, MASK)

    w = weights_of(layer)
    q, k, v = (
        x @ w[f"{name}_projection/kernel"] + w[f"{name}_projection/bias"]
        for x, name in ((query, "query"), (values, "key"), (values, "value"))
    )
    outputs, alphas = [], []
    for start in range(0, units, units // heads):
        part = slice(start, start + units // heads)
        energies = np.einsum("btu,bsu->bts", q[..., part], k[..., part]) / np.sqrt(units // heads)
        alphas.append(softmax(np.where(MASK[:, None], energies, -np.inf)))
        outputs.append(alphas[-1] @ v[..., part])
    expected = np.concatenate(outputs, -1) @ w["output_projection/kernel"]
    expected += w["output_projection/bias"]
    np.testing.assert_allclose(ops.convert_to_numpy(context), expected, atol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), np.mean(alphas, 0), atol=1e-5)


@pytest.mark.parametrize("score", SCORES)
def test_one_query_is_a_target_of_length_one(score: str, draw: np.random.Generator) -> None:
    query = draw.normal(size=(BATCH, UNITS)).astype("float32")
    values = draw.normal(size=(BATCH, SOURCE, UNITS)).astype("float32")
    layer = build_attention(score, 8)
    layer.build(query.shape, values.shape)
    keys = layer.project_keys(ops.convert_to_tensor(values))
    single = layer(ops.convert_to_tensor(query), keys, values, MASK)
    several = layer(ops.convert_to_tensor(query[:, None]), keys, values, MASK)
    for one, many in zip(single, several, strict=True):
        np.testing.assert_allclose(
            ops.convert_to_numpy(one), ops.convert_to_numpy(many)[:, 0], atol=1e-5
        )


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
