"""Recurrent stacks with residuals and layer normalisation against the equations in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from model.layers.decoders import AttentionDecoder
from model.layers.encoders import RecurrentEncoder
from tests.model.layers.twins import norm, sigmoid, to_numpy

BATCH, LENGTH, UNITS = 2, 4, 6


def gru(cell: object, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Cho et al. 2014, arXiv:1406.1078, all positions of `x`."""
    kernel, recurrent, (bias, own_bias) = (to_numpy(each) for each in cell.trainable_weights)  # type: ignore[attr-defined]
    outputs = []
    for t in range(x.shape[1]):
        update, reset, candidate = np.split(x[:, t] @ kernel + bias, 3, axis=-1)
        own_update, own_reset, own = np.split(h @ recurrent + own_bias, 3, axis=-1)
        z, r = sigmoid(update + own_update), sigmoid(reset + own_reset)
        h = z * h + (1 - z) * np.tanh(candidate + r * own)
        outputs.append(h)
    return np.stack(outputs, 1)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_a_deep_encoder_computes_its_equations(residual: bool, layer_norm: bool) -> None:
    draw = np.random.default_rng(1)
    encoder = RecurrentEncoder(UNITS, depth=3, residual=residual, layer_norm=layer_norm)
    encoder.build((None, None, 5))
    for weight in encoder.trainable_weights:
        weight.assign(draw.normal(size=weight.shape))
    sequence = draw.normal(size=(BATCH, LENGTH, 5)).astype("float32")
    outputs, [final] = encoder(ops.convert_to_tensor(sequence))

    x = sequence
    for i in range(3):
        below = x
        x = norm(encoder.norms[i - 1], x) if layer_norm and i else x
        start = np.zeros((BATCH, UNITS), "float32")
        forward = gru(encoder.forward_stack[i].cell, x, start)
        backward = gru(encoder.backward_stack[i].cell, x[:, ::-1], start)[:, ::-1]
        x = np.concatenate([forward, backward], axis=-1)
        last = np.concatenate([forward[:, -1], backward[:, 0]], axis=-1)
        x = x + below if residual and i else x
    np.testing.assert_allclose(to_numpy(outputs), x, atol=1e-4)
    np.testing.assert_allclose(to_numpy(final), last, atol=1e-4)


@pytest.mark.parametrize("input_feeding", [False, True])
def test_a_deep_decoder_steps_as_it_reads_whole_targets(input_feeding: bool) -> None:
    draw = np.random.default_rng(2)
    decoder = AttentionDecoder(
        UNITS, 5, depth=3, residual=True, layer_norm=True, input_feeding=input_feeding
    )
    decoder.build((None, None, 4), (None, None, 7))
    for weight in decoder.trainable_weights:
        weight.assign(draw.normal(size=weight.shape))
    embedded, outputs, final = (
        ops.convert_to_tensor(draw.normal(size=shape).astype("float32"))
        for shape in ((BATCH, LENGTH, 4), (BATCH, 3, 7), (BATCH, 7))
    )
    memory = decoder.build_memory(outputs, ops.ones((BATCH, 3), "bool"))
    state = decoder.initial_state([final])
    whole = to_numpy(decoder(embedded, memory, state))
    for t in range(LENGTH):
        readout, _, state = decoder.step(embedded[:, t], memory, state)
        np.testing.assert_allclose(to_numpy(readout), whole[:, t], atol=1e-4)


def test_a_residual_adds_what_a_layer_reads() -> None:
    encoder = RecurrentEncoder(UNITS, depth=2, residual=True)
    encoder.build((None, None, 5))
    for layer in (encoder.forward_stack[1], encoder.backward_stack[1]):
        for weight in layer.trainable_weights:
            weight.assign(np.zeros(weight.shape))
    sequence = ops.ones((BATCH, LENGTH, 5))
    shallow = RecurrentEncoder(UNITS, depth=1)
    shallow.build((None, None, 5))
    shallow.set_weights(
        encoder.forward_stack[0].get_weights() + encoder.backward_stack[0].get_weights()
    )
    np.testing.assert_allclose(
        to_numpy(encoder(sequence)[0]), to_numpy(shallow(sequence)[0]), atol=1e-6
    )
