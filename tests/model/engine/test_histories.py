"""Rows whose decoder keeps all tokens read: a Transformer's, on the Keras engine."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from model.config import NetworkConfig
from model.engine.keras import EncodedSources, KerasEngine
from model.layers.transformer_decoder import MIN_HISTORY
from model.networks.tokens import TokenSeq2Seq

SOURCES = np.array([[6, 7, 8, 3], [9, 3, 0, 0]], np.int32)
LENGTHS = np.array([4, 2], np.int32)


@pytest.mark.parametrize("has_static_shapes", [False, True])
def test_a_row_that_joins_later_gets_what_it_gets_alone(has_static_shapes: bool) -> None:
    keras.utils.set_random_seed(3)
    sizes = {"source_vocab_size": 12, "target_vocab_size": 12, "embedding_units": 8}
    widths = {"encoder_units": 8, "decoder_units": 8, "heads": 2, "decoder_layers": 2}
    config = {**sizes, **widths, "encoder": "transformer", "decoder": "transformer"}
    network = TokenSeq2Seq(NetworkConfig.parse(config, where="test"))
    engine = KerasEngine(network, has_static_shapes=has_static_shapes)
    tokens = np.random.default_rng(0).integers(4, 12, MIN_HISTORY + 6).astype(np.int32)
    slots, none = np.arange(2), np.zeros(2, bool)

    def encode(row: int) -> EncodedSources:
        return engine.encode(SOURCES[[row]], LENGTHS[[row]], none[:1])

    def alone(row: int, steps: int) -> np.ndarray:
        table, told = engine.new_table(1, use_shortlist=False), []
        table.insert(slots[:1], encode(row), slots[:1])
        for token in tokens[:steps]:
            told.append(table.step(None, np.array([[token]]), top_k=12).logprobs[0, 0])
        return np.stack(told)

    expected = [alone(0, len(tokens)), alone(1, 4)]
    table = engine.new_table(1, use_shortlist=False)
    table.insert(slots[:1], encode(0), slots[:1])
    for token in tokens[:-4]:
        table.step(None, np.array([[token]]), top_k=12)
    table.insert(slots[1:], encode(1), slots[:1])
    for t in range(4):
        fed = np.array([[tokens[len(tokens) - 4 + t]], [tokens[t]]])
        found = table.step(None, fed, top_k=12).logprobs[:, 0]
        np.testing.assert_allclose(found[0], expected[0][len(tokens) - 4 + t], atol=1e-5)
        np.testing.assert_allclose(found[1], expected[1][t], atol=1e-5)
