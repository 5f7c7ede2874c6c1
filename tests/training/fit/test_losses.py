from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from training.fit.losses import TokenCrossEntropy


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_smoothed_cross_entropy_of_real_tokens(smoothing: float) -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(2, 3, 5)).astype("float32")
    labels = draw.integers(0, 5, (2, 3)).astype("int32")
    weights = np.array([[1, 1, 0], [1, 0, 0]], "float32")
    logprobs = log_softmax(logits)
    picked = np.take_along_axis(logprobs, labels[..., None], -1)[..., 0]
    losses = -(1 - smoothing) * picked - smoothing * logprobs.mean(axis=-1)
    found = TokenCrossEntropy(smoothing)(labels, logits, sample_weight=weights)
    assert float(ops.convert_to_numpy(found)) == pytest.approx(
        (losses * weights).sum() / weights.sum(), abs=1e-5
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_step_of_gradient_descent_moves_logits_to_the_labels(smoothing: float) -> None:
    draw = np.random.default_rng(0)
    table = draw.normal(size=(4, 5)).astype("float32")
    inputs = np.array([[0, 1, 2], [3, 0, 0]])
    labels = draw.integers(0, 5, (2, 3)).astype("int32")
    weights = np.array([[1, 1, 1], [2, 0, 0]], "float32")
    embedding = keras.layers.Embedding(4, 5)
    model = keras.Sequential([keras.Input((3,), dtype="int32"), embedding])
    model.compile(keras.optimizers.SGD(1.0), TokenCrossEntropy(smoothing), jit_compile=False)
    embedding.set_weights([table])
    model.train_on_batch(inputs, labels, weights)
    wanted = np.exp(log_softmax(table))[inputs]
    wanted -= (1 - smoothing) * np.eye(5, dtype="float32")[labels] + smoothing / 5
    expected = table.copy()
    np.subtract.at(expected, inputs, wanted * weights[..., None] / weights.sum())
    assert embedding.get_weights()[0] == pytest.approx(expected, abs=1e-5)
