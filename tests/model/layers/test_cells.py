"""Cells against the equations in NumPy."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from model.layers.cells import build_recurrent, run_steps, step_cells
from tests.model.layers.twins import sigmoid, to_numpy

BATCH, LENGTH, FEATURES, UNITS = 3, 4, 5, 6


def gru(weights: list[np.ndarray], x: np.ndarray, h: np.ndarray) -> list[np.ndarray]:
    """Cho et al. 2014, arXiv:1406.1078, with the reset gate after the product (as cuDNN has it)."""
    kernel, recurrent, (bias, recurrent_bias) = weights
    update, reset, candidate = np.split(x @ kernel + bias, 3, axis=-1)
    own_update, own_reset, own = np.split(h @ recurrent + recurrent_bias, 3, axis=-1)
    z, r = sigmoid(update + own_update), sigmoid(reset + own_reset)
    return [z * h + (1 - z) * np.tanh(candidate + r * own)]


def lstm(
    weights: list[np.ndarray], x: np.ndarray, h: np.ndarray, c: np.ndarray
) -> list[np.ndarray]:
    """Hochreiter and Schmidhuber 1997, with forget gates."""
    kernel, recurrent, bias = weights
    i, f, candidate, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    return [sigmoid(o) * np.tanh(c), c]


STEPS: dict[str, tuple[Any, int]] = {"gru": (gru, 1), "lstm": (lstm, 2)}


def build_cell(kind: str, features: int, draw: np.random.Generator) -> Any:
    layer = build_recurrent(kind, UNITS)
    layer.build((None, None, features))
    for weight in layer.weights:
        weight.assign(draw.normal(size=weight.shape))
    return layer


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("unroll", [False, True])
def test_a_stack_of_cells_computes_its_equations(kind: str, unroll: bool) -> None:
    draw = np.random.default_rng(0)
    layers = [build_cell(kind, FEATURES, draw), build_cell(kind, UNITS, draw)]
    step, size = STEPS[kind]
    inputs = draw.normal(size=(BATCH, LENGTH, FEATURES)).astype("float32")
    state = draw.normal(size=(2 * size, BATCH, UNITS)).astype("float32")

    def climb(carry: list[Any], x: Any) -> list[Any]:
        return step_cells([layer.cell for layer in layers], x, carry)[1]

    start = [ops.convert_to_tensor(each) for each in state]
    found = run_steps(climb, start, ops.convert_to_tensor(inputs), length=LENGTH, unroll=unroll)

    expected = list(state)
    for t in range(LENGTH):
        x = inputs[:, t]
        for i, layer in enumerate(layers):
            own = slice(i * size, (i + 1) * size)
            weights = [to_numpy(weight) for weight in layer.weights]
            expected[own] = step(weights, x, *expected[own])
            x = expected[i * size]
        for sequence, now in zip(found, expected, strict=True):
            np.testing.assert_allclose(to_numpy(sequence)[:, t], now, atol=1e-5)


@pytest.mark.parametrize("kind", STEPS)
def test_a_layer_over_a_sequence_computes_the_same(kind: str) -> None:
    draw = np.random.default_rng(1)
    layer = build_cell(kind, FEATURES, draw)
    step, size = STEPS[kind]
    inputs = draw.normal(size=(BATCH, LENGTH, FEATURES)).astype("float32")
    outputs, *last = layer(ops.convert_to_tensor(inputs))
    state = [np.zeros((BATCH, UNITS), "float32")] * size
    for t in range(LENGTH):
        state = step([to_numpy(weight) for weight in layer.weights], inputs[:, t], *state)
        np.testing.assert_allclose(to_numpy(outputs)[:, t], state[0], atol=1e-5)
    for found, expected in zip(last, state, strict=True):
        np.testing.assert_allclose(to_numpy(found), expected, atol=1e-5)


def test_a_shared_state_goes_up_the_stack() -> None:
    draw = np.random.default_rng(2)
    layers = [build_cell("gru", UNITS, draw), build_cell("gru", UNITS, draw)]
    x, h = draw.normal(size=(2, BATCH, UNITS)).astype("float32")
    cells = [layer.cell for layer in layers]
    output, (state,) = step_cells(
        cells, ops.convert_to_tensor(x), [ops.convert_to_tensor(h)], share_state=True
    )
    weights = [[to_numpy(each) for each in layer.weights] for layer in layers]
    (middle,) = gru(weights[0], x, h)
    (top,) = gru(weights[1], middle, middle)
    np.testing.assert_allclose(to_numpy(output), top, atol=1e-5)
    np.testing.assert_allclose(to_numpy(state), top, atol=1e-5)


@pytest.mark.parametrize("kind", STEPS)
def test_gradients_are_finite(kind: str) -> None:
    layer = build_recurrent(kind, UNITS)
    model = keras.Sequential([keras.Input((LENGTH, FEATURES)), FirstOutput(layer)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    draw = np.random.default_rng(3)
    inputs = 50 * draw.normal(size=(BATCH, LENGTH, FEATURES)).astype("float32")  # saturated gates
    before = [to_numpy(weight).copy() for weight in layer.weights]
    model.fit(inputs, np.ones((BATCH, LENGTH, UNITS)), verbose=0)
    for old, weight in zip(before, layer.weights, strict=True):
        assert np.isfinite(to_numpy(weight)).all()
        assert np.abs(to_numpy(weight) - old).max() > 0


class FirstOutput(keras.layers.Layer):
    """The sequence of outputs, without the states."""

    def __init__(self, layer: keras.layers.RNN) -> None:
        super().__init__()
        self.layer = layer

    def call(self, inputs: Any) -> Any:
        return self.layer(inputs)[0]


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("is_masked", [False, True])
def test_a_layer_computes_what_keras_own_does(
    kind: str, go_backwards: bool, is_masked: bool
) -> None:
    draw = np.random.default_rng(0)
    ours = build_recurrent(kind, UNITS, go_backwards=go_backwards)
    theirs = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[kind](
        UNITS, return_sequences=True, return_state=True, go_backwards=go_backwards
    )
    inputs = draw.normal(size=(BATCH, LENGTH, FEATURES)).astype("float32")
    state = list(draw.normal(size=(STEPS[kind][1], BATCH, UNITS)).astype("float32"))
    lengths = np.array([[LENGTH], [1], [2]])
    mask = ops.convert_to_tensor(np.arange(LENGTH) < lengths) if is_masked else None
    ours.build(inputs.shape)
    theirs.build(inputs.shape)
    weights = [draw.normal(size=each.shape) for each in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    for found, expected in zip(
        ours(inputs, initial_state=state, mask=mask),
        theirs(inputs, initial_state=state, mask=mask),
        strict=True,
    ):
        assert to_numpy(found) == pytest.approx(to_numpy(expected), abs=1e-5)
