from __future__ import annotations

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
