"""The Transformer's encoder and decoders against the equations in NumPy."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from model.layers.transformer import PositionedInput, TransformerEncoder, sinusoids
from model.layers.transformer_decoder import MIN_HISTORY, TransformerDecoder
from tests.model.layers.twins import positions, to_numpy, transformer_decoder, transformer_encoder

BATCH, SOURCE, FEATURES, UNITS = 3, 5, 6, 8
TARGET = MIN_HISTORY + 2
MASK = np.arange(SOURCE) < np.array([[5], [3], [1]])


@pytest.fixture
def draw() -> np.random.Generator:
    return np.random.default_rng(5)


def randomise(layer: keras.layers.Layer, draw: np.random.Generator) -> None:
    for weight in layer.trainable_weights:
        weight.assign(draw.normal(scale=0.5, size=weight.shape))


def normal(draw: np.random.Generator, *shape: int) -> np.ndarray:
    return draw.normal(size=shape).astype("float32")


def built_decoder(draw: np.random.Generator, **options: Any) -> TransformerDecoder:
    decoder = TransformerDecoder(UNITS, depth=2, heads=2, **options)
    decoder.build((None, None, FEATURES), (None, None, 7))
    randomise(decoder, draw)
    return decoder


DECODERS = {
    "self-attention": {"readout_units": UNITS, "feed_forward_units": 12},
    "self-attention, other readout": {"readout_units": 5, "feed_forward_units": 12},
    "ssru": {"readout_units": UNITS, "feed_forward_units": 12, "uses_ssru": True},
    "ssru, no feed-forward": {"readout_units": 5, "feed_forward_units": 0, "uses_ssru": True},
}


@pytest.mark.parametrize("features", [FEATURES, UNITS])
def test_the_encoder_computes_its_equations(features: int, draw: np.random.Generator) -> None:
    encoder = TransformerEncoder(UNITS, depth=2, heads=2, feed_forward_units=12)
    encoder.build((None, None, features))
    randomise(encoder, draw)
    sequence = normal(draw, BATCH, SOURCE, features)
    outputs, [mean] = encoder(ops.convert_to_tensor(sequence), ops.convert_to_tensor(MASK))
    expected = transformer_encoder(encoder, sequence, MASK)
    np.testing.assert_allclose(to_numpy(outputs)[MASK], expected[MASK], atol=1e-4)
    means = [row[real].mean(axis=0) for row, real in zip(expected, MASK, strict=True)]
    np.testing.assert_allclose(to_numpy(mean), means, atol=1e-4)


@pytest.mark.parametrize("kind", DECODERS)
def test_the_decoder_computes_its_equations(kind: str, draw: np.random.Generator) -> None:
    decoder = built_decoder(draw, **DECODERS[kind])
    embedded, source = normal(draw, BATCH, TARGET, FEATURES), normal(draw, BATCH, SOURCE, 7)
    memory = decoder.build_memory(ops.convert_to_tensor(source), ops.convert_to_tensor(MASK))
    expected, expected_weights = transformer_decoder(decoder, embedded, source, MASK)

    readouts = decoder(ops.convert_to_tensor(embedded), memory, [])
    np.testing.assert_allclose(to_numpy(readouts), expected, atol=1e-4)

    state = decoder.initial_state([ops.convert_to_tensor(source[:, 0])])
    for t in range(TARGET):
        state = decoder.allocate_cache(state, t + 1)
        readout, weights, state = decoder.step(ops.convert_to_tensor(embedded[:, t]), memory, state)
        np.testing.assert_allclose(to_numpy(readout), expected[:, t], atol=1e-4)
        np.testing.assert_allclose(to_numpy(weights), expected_weights[:, t], atol=1e-4)


def test_rows_of_one_history_stand_at_their_own_positions(draw: np.random.Generator) -> None:
    decoder = built_decoder(draw, **DECODERS["self-attention"])
    embedded, source = normal(draw, 2, 3, FEATURES), normal(draw, 2, SOURCE, 7)
    mask = np.ones((2, SOURCE), bool)
    memory = decoder.build_memory(ops.convert_to_tensor(source), ops.convert_to_tensor(mask))
    expected, _ = transformer_decoder(decoder, embedded, source, mask)
    start = decoder.initial_state([ops.convert_to_tensor(source[:, 0])])
    _, _, ahead = decoder.step(ops.convert_to_tensor(embedded[:, 0]), memory, start)
    # The first row has read a token, the second none.
    mixed = [ops.stack([one[0], other[1]]) for one, other in zip(ahead, start, strict=True)]
    inputs = np.stack([embedded[0, 1], embedded[1, 0]])
    readout, _, _ = decoder.step(ops.convert_to_tensor(inputs), memory, mixed)
    np.testing.assert_allclose(to_numpy(readout), [expected[0, 1], expected[1, 0]], atol=1e-4)


def test_room_grows_by_powers_of_two(draw: np.random.Generator) -> None:
    decoder = built_decoder(draw, **DECODERS["self-attention"])
    state = decoder.initial_state([ops.zeros((2, 7))])
    rooms = [decoder.allocate_cache(state, steps)[0].shape[1] for steps in (1, 16, 17, 32, 33)]
    assert rooms == [16, 16, 32, 32, 64]


def test_positions_are_waves() -> None:
    found = to_numpy(sinusoids(ops.arange(30), 10))
    np.testing.assert_allclose(found, positions(30, 10), atol=1e-5)


def test_an_odd_size_has_no_positions() -> None:
    with pytest.raises(ValueError, match="units=7"):
        PositionedInput(7)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_every_weight_learns(dtype: str, draw: np.random.Generator) -> None:
    network = Pair(dtype=dtype)
    network.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    inputs = {"source": normal(draw, 4, SOURCE, FEATURES), "target": normal(draw, 4, 3, FEATURES)}
    network(inputs)
    before = [to_numpy(weight).copy() for weight in network.trainable_weights]
    network.train_on_batch(inputs, normal(draw, 4, 3, UNITS))
    unmoved = [
        weight.path
        for old, weight in zip(before, network.trainable_weights, strict=True)
        if not np.abs(to_numpy(weight) - old).max() > 0
    ]
    # A bias of keys adds the same to all energies of a query.
    assert all("key_projection/bias" in path for path in unmoved)


class Pair(keras.Model):
    """An encoder under both decoders."""

    def __init__(self, dtype: str) -> None:
        super().__init__()
        options: dict[str, Any] = {"heads": 2, "feed_forward_units": 12, "dtype": dtype}
        self.encoder = TransformerEncoder(UNITS, dropout=0.1, attention_dropout=0.1, **options)
        self.decoders = [
            TransformerDecoder(UNITS, UNITS, uses_ssru=uses_ssru, dropout=0.1, **options)
            for uses_ssru in (True, False)
        ]
        self.encoder.build((None, None, FEATURES))
        for decoder in self.decoders:
            decoder.build((None, None, FEATURES), (None, None, UNITS))

    def call(self, inputs: dict[str, Any], training: bool = False) -> Any:
        mask = ops.ones(inputs["source"].shape[:2], "bool")
        outputs, _ = self.encoder(inputs["source"], mask)
        readouts = [
            decoder(inputs["target"], decoder.build_memory(outputs, mask), [])
            for decoder in self.decoders
        ]
        return readouts[0] + readouts[1]
