from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from model import AttentionSeq2Seq, Seq2Seq, attention_weights

SIZES: dict[str, Any] = {"hidden_dim": 4, "output_dim": 2, "output_length": 2}
IDS = np.array([[3, 4, 5, 0, 0], [6, 7, 8, 9, 1]])


def run(model: keras.Model, *inputs: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(model(*inputs)))


def test_the_mask_that_the_input_carries_is_used() -> None:
    embedding, layer = keras.layers.Embedding(11, 3, mask_zero=True), AttentionSeq2Seq(**SIZES)
    embedded = embedding(IDS)
    layer(embedded)
    weights = attention_weights(layer, embedded)
    assert not weights[0, :, 3:].any()
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=1e-6)
    explicit = attention_weights(layer, ops.convert_to_numpy(embedded), mask=IDS != 0)
    np.testing.assert_allclose(weights, explicit, atol=1e-6)


def test_a_model_around_the_model_is_looked_into() -> None:
    embedding, layer = keras.layers.Embedding(11, 3, mask_zero=True), AttentionSeq2Seq(**SIZES)
    model = keras.Sequential([embedding, layer, keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="Call"):
        attention_weights(model, IDS)
    model(IDS)
    weights = attention_weights(model, IDS)
    np.testing.assert_allclose(weights, attention_weights(layer, embedding(IDS)), atol=1e-6)
    assert "attended" not in vars(layer)


def test_the_state_of_a_stateful_model_stays() -> None:
    source = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")
    model = AttentionSeq2Seq(**SIZES, batch_shape=(2, 3, 3), stateful=True)
    first, second = run(model, source), run(model, source)
    model.reset_state()
    at_first = attention_weights(model, source)
    np.testing.assert_allclose(run(model, source), first, atol=1e-6)
    assert np.abs(attention_weights(model, source) - at_first).max() > 1e-6
    np.testing.assert_allclose(run(model, source), second, atol=1e-6)


def test_weights_are_returned_beside_the_outputs() -> None:
    source = np.random.default_rng(0).normal(size=(2, 3, 3)).astype("float32")
    model = AttentionSeq2Seq(**SIZES, input_dim=3, return_attention_scores=True)
    inputs = keras.Input((3, 3))
    outputs, weights = keras.Model(inputs, model(inputs))(source)
    assert tuple(outputs.shape) == (2, 2, 2)
    found = attention_weights(model, source)
    np.testing.assert_allclose(ops.convert_to_numpy(weights), found, atol=1e-6)
    assert model.compute_output_shape((2, 3, 3)) == ((2, 2, 2), (2, 2, 3))


def test_a_model_without_attention_is_refused() -> None:
    with pytest.raises(ValueError, match="one AttentionSeq2Seq"):
        attention_weights(Seq2Seq(**SIZES, input_dim=3), np.zeros((2, 3, 3)))
