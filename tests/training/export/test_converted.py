"""A Transformer's weights in CTranslate2 say what the network says."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from model.config import NetworkConfig
from model.errors import EngineError
from model.networks.tokens import TokenSeq2Seq
from training.export.converted import converted_files, difference_of

PIECES = ["<pad>", "<unk>", "<s>", "</s>", "<sep>", *(f"piece{i}" for i in range(5, 30))]


def build(**parts: object) -> TokenSeq2Seq:
    keras.utils.set_random_seed(1)
    units = {"embedding_units": 16, "encoder_units": 16, "decoder_units": 16, "heads": 4}
    sizes = {"source_vocab_size": 30, "target_vocab_size": 30, "encoder_layers": 2}
    shape = {**sizes, **units, "encoder": "transformer", "decoder": "transformer", **parts}
    network = TokenSeq2Seq(NetworkConfig.parse(shape, where="test"))
    draw = np.random.default_rng(2)
    for weight in network.trainable_weights:
        weight.assign(weight + draw.normal(scale=0.1, size=weight.shape))
    return network


def test_every_token_gets_its_log_probability() -> None:
    pytest.importorskip("ctranslate2")
    draw = np.random.default_rng(3)
    pairs = [
        tuple(np.append(draw.integers(5, 30, size), 3).astype(np.int32) for size in sizes)
        for sizes in ((7, 4), (1, 9), (12, 2))
    ]
    examples = [(source, target[:-1]) for source, target in pairs]
    for parts in ({"share_embeddings": True}, {"tie_output": False, "decoder_layers": 3}):
        network = build(**parts)
        files = converted_files(network, PIECES, PIECES)
        assert difference_of(network, files, (PIECES, PIECES), examples) < 1e-4
        other = build(**parts)
        other.decoder.norm.beta.assign(other.decoder.norm.beta + 1.0)
        assert difference_of(other, files, (PIECES, PIECES), examples) > 1e-2


def test_other_networks_are_refused() -> None:
    with pytest.raises(EngineError, match="decoder = 'ssru'"):
        converted_files(build(decoder="ssru"), PIECES, PIECES)
    with pytest.raises(EngineError, match="to be equal"):
        converted_files(build(embedding_units=8), PIECES, PIECES)
