from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np
import pytest

from training.fit.optimizer import averaged_weights, build_optimizer
from training.fit.sizing import SizedFitConfig


def options_of(**changes: float) -> SizedFitConfig:
    given = {"batch_tokens": 64, "epochs": 1, "learning_rate": 0.1, "warmup_steps": 0}
    return SizedFitConfig.model_validate({**given, "decay": "none", **changes})


def train(steps: int, **changes: float) -> tuple[keras.Model, list[np.ndarray]]:
    """Trains y = 2x; returns the network and its kernel before and after each step."""
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile(build_optimizer(options_of(**changes), steps), loss="mse")
    kernels = [network.get_weights()[0].copy()]
    for step in range(steps):
        x = np.array([[1.0 + step]], np.float32)
        network.train_on_batch(x, 2 * x)
        kernels.append(network.get_weights()[0].copy())
    return network, kernels


@pytest.mark.parametrize("accumulate", [1, 2])
def test_averages_are_lent_to_the_network(accumulate: int) -> None:
    network, kernels = train(40, average_steps=4, accumulate=accumulate)
    average = kernels[1]
    for step, kernel in enumerate(kernels[1:]):
        momentum = min(1 - 1 / 4, (1 + step) / (10 + step)) if step >= accumulate else 0.0
        average = momentum * average + (1 - momentum) * kernel
    with averaged_weights(network):
        np.testing.assert_allclose(network.get_weights()[0], average, rtol=1e-5)
    np.testing.assert_array_equal(network.get_weights()[0], kernels[-1])


def test_a_long_average_forgets_the_first_weights() -> None:
    network, kernels = train(20, average_steps=1000)
    with averaged_weights(network):
        average = network.get_weights()[0]
    assert np.abs(average - kernels[-1]) < np.abs(average - kernels[1])


def test_without_averages_the_weights_are_those_of_the_last_step() -> None:
    network, kernels = train(2)
    with averaged_weights(network):
        np.testing.assert_array_equal(network.get_weights()[0], kernels[2])


def test_accumulated_gradients_update_the_weights_together() -> None:
    _, kernels = train(4, accumulate=2)
    is_changed = [before != after for before, after in pairwise(kernels)]
    assert is_changed == [False, True, False, True]


@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_weights_decay_and_biases_do_not(rate: float) -> None:
    keras.utils.set_random_seed(0)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile(build_optimizer(options_of(weight_decay=rate), 1), loss="mse")
    network.set_weights([np.array([[4.0]], np.float32), np.array([3.0], np.float32)])
    x = np.array([[0.0]], np.float32)
    network.train_on_batch(x, x + 3.0)  # no gradient at all
    kernel, bias = network.get_weights()
    assert kernel == pytest.approx(4.0 * (1.0 - 0.1 * rate))
    assert bias == pytest.approx(3.0)
