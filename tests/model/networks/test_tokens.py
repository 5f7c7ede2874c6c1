from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from model.config import NetworkConfig
from model.errors import ConfigError
from model.layers.decoders import Memory
from model.networks.tokens import TokenSeq2Seq

PARTS = list(
    itertools.product(
        ["gru", "lstm"],
        ["additive", "concat", "dot", "general", "multihead"],
        [False, True],
        [1, 2],
    )
)


EVEN = {"encoder_units": 6, "decoder_units": 12, "heads": 2}
#: Every encoder under every decoder, and what recurrent stacks may have.
OTHER_PARTS: list[dict[str, Any]] = [
    *(
        {"encoder": encoder, "decoder": decoder, "encoder_layers": 2, "decoder_layers": 2, **more}
        for encoder in ("recurrent", "transformer")
        for decoder, more in (
            ("recurrent", {}),
            ("ssru", {}),
            ("ssru", {"decoder_feed_forward_units": 0, "tie_output": False}),
            ("transformer", {}),
        )
    ),
    {"encoder": "transformer", "cell": "lstm", "attention": "multihead", "input_feeding": True},
    {"residual": True, "layer_norm": True, "encoder_layers": 3, "decoder_layers": 3},
]


def build(**parts: object) -> TokenSeq2Seq:
    keras.utils.set_random_seed(1)
    sizes = {"source_vocab_size": 30, "target_vocab_size": 40, "embedding_units": 8}
    widths = {"encoder_units": 6, "decoder_units": 12, "dropout": 0.0}
    network = TokenSeq2Seq(NetworkConfig.parse({**sizes, **widths, **parts}, where="test"))
    for weight in network.weights:
        weight.assign(weight * 3.0)
    return network


@pytest.fixture
def inputs() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    source_ids = draw.integers(5, 30, (3, 7)).astype("int32")
    source_ids[1, 4:] = 0
    return {"source_ids": source_ids, "target_ids": draw.integers(5, 40, (3, 5)).astype("int32")}


def logits_of(network: TokenSeq2Seq, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return ops.convert_to_numpy(network(inputs))


@pytest.mark.parametrize(("cell", "attention", "input_feeding", "layers"), PARTS)
def test_steps_say_what_the_whole_target_says(
    cell: str, attention: str, input_feeding: bool, layers: int, inputs: dict[str, np.ndarray]
) -> None:
    network = build(
        cell=cell,
        attention=attention,
        input_feeding=input_feeding,
        encoder_layers=layers,
        decoder_layers=layers,
    )
    assert_steps_say_what_the_whole_target_says(network, inputs)


@pytest.mark.parametrize("parts", OTHER_PARTS, ids=lambda parts: "-".join(map(str, parts.values())))
def test_any_encoder_goes_under_any_decoder(
    parts: dict[str, object], inputs: dict[str, np.ndarray]
) -> None:
    assert_steps_say_what_the_whole_target_says(build(**{**EVEN, **parts}), inputs)


def assert_steps_say_what_the_whole_target_says(
    network: TokenSeq2Seq, inputs: dict[str, np.ndarray]
) -> None:
    source_ids = ops.convert_to_tensor(inputs["source_ids"])
    memory, state = network.encode(source_ids, ops.not_equal(source_ids, 0))
    steps = []
    for tokens in inputs["target_ids"].T:
        logits, weights, state = network.step(ops.convert_to_tensor(tokens), memory, state)
        steps.append(ops.convert_to_numpy(logits))
        np.testing.assert_allclose(ops.convert_to_numpy(weights).sum(-1), 1.0, atol=1e-5)
    np.testing.assert_allclose(np.stack(steps, 1), logits_of(network, inputs), atol=1e-3)


@pytest.mark.parametrize(
    "parts",
    [
        *(
            {"cell": cell, "bidirectional": bidirectional}
            for cell in ("gru", "lstm")
            for bidirectional in (True, False)
        ),
        {**EVEN, "encoder": "transformer"},
        {**EVEN, "encoder": "transformer", "decoder": "ssru"},
    ],
    ids=lambda parts: "-".join(map(str, parts.values())),
)
def test_padding_of_a_source_changes_nothing(
    parts: dict[str, object], inputs: dict[str, np.ndarray]
) -> None:
    network = build(**parts, encoder_layers=2)
    longer = {**inputs, "source_ids": np.pad(inputs["source_ids"], ((0, 0), (0, 6)))}
    np.testing.assert_allclose(
        logits_of(network, longer), logits_of(network, inputs), rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("decoder", ["recurrent", "ssru", "transformer"])
def test_later_targets_change_no_earlier_logits(
    decoder: str, inputs: dict[str, np.ndarray]
) -> None:
    network = build(decoder=decoder)
    changed = {**inputs, "target_ids": inputs["target_ids"].copy()}
    changed["target_ids"][:, 3:] = 9
    before, after = logits_of(network, inputs), logits_of(network, changed)
    np.testing.assert_allclose(after[:, :3], before[:, :3], atol=1e-5)
    assert np.abs(after[:, 3:] - before[:, 3:]).max() > 1e-3


def test_tied_and_shared_tables_exist_once() -> None:
    free = build(tie_output=False).count_params()
    tied = build(tie_output=True).count_params()
    assert tied < free
    both = build(share_embeddings=True, source_vocab_size=40).count_params()
    apart = build(share_embeddings=False, source_vocab_size=40).count_params()
    assert apart - both == 40 * 8


@pytest.mark.parametrize(
    "parts",
    [
        {"input_feeding": True},
        {"recurrent_dropout": 0.1, "attention_dropout": 0.1, "residual": True, "layer_norm": True},
        {**EVEN, "encoder": "transformer", "decoder": "ssru", "attention_dropout": 0.1},
        {**EVEN, "encoder": "transformer", "decoder": "transformer"},
    ],
    ids=lambda parts: "-".join(map(str, parts)),
)
def test_it_learns_with_dropout(parts: dict[str, object], inputs: dict[str, np.ndarray]) -> None:
    common = {"dropout": 0.1, "word_dropout": 0.05, "embedding_dropout": 0.0, "decoder_layers": 2}
    network = build(**common, **parts)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
    first = float(network.train_on_batch(inputs, inputs["target_ids"]))
    for _ in range(30):
        network.reset_metrics()
        last = float(network.train_on_batch(inputs, inputs["target_ids"]))
    assert last < 0.7 * first


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="general"):
        build(attention="dot", decoder_units=11)
    with pytest.raises(ConfigError, match="one vocabulary"):
        build(share_embeddings=True)
    with pytest.raises(ConfigError, match="heads must divide decoder_units"):
        build(decoder="ssru", heads=5)
    with pytest.raises(ConfigError, match="encoder_units must be even"):
        build(encoder="transformer", encoder_units=9, heads=3)
    with pytest.raises(ConfigError, match="recurrent_dropout"):
        build(input_feeding=True, recurrent_dropout=0.1)


@pytest.mark.parametrize(
    "parts",
    [
        {"encoder": "transformer", "bidirectional": False},
        {"decoder": "ssru", "input_feeding": True},
        {"decoder": "transformer", "attention": "additive"},
        {"encoder_feed_forward_units": 12},
        {"encoder": "transformer", "decoder": "ssru", "residual": True},
    ],
    ids=lambda parts: "-".join(map(str, parts.values())),
)
def test_a_key_that_does_nothing_is_refused(parts: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="does nothing"):
        build(**{**EVEN, **parts})


def test_a_dropped_word_is_dropped_whole(inputs: dict[str, np.ndarray]) -> None:
    network = build(word_dropout=0.5)
    ids = ops.convert_to_tensor(np.full((20, 20), 7, "int32"))
    embedded = ops.convert_to_numpy(network._embed(network.source_embedding, ids, True))
    is_dropped = (embedded == 0).all(axis=-1)
    assert 100 < is_dropped.sum() < 300
    assert (embedded[~is_dropped] != 0).all()


def test_memory_is_projected_once(inputs: dict[str, np.ndarray]) -> None:
    network = build(attention="general")
    source_ids = ops.convert_to_tensor(inputs["source_ids"])
    memory, _ = network.encode(source_ids, ops.not_equal(source_ids, 0))
    assert isinstance(memory, Memory)
    assert memory.keys.shape == (3, 7, 12)


@pytest.mark.parametrize("tie_output", [True, False])
def test_logits_of_a_new_network_are_neither_tiny_nor_huge(
    tie_output: bool, inputs: dict[str, np.ndarray]
) -> None:
    keras.utils.set_random_seed(1)
    sizes = {"source_vocab_size": 30, "target_vocab_size": 40}
    for units in (16, 256):
        widths = {"embedding_units": units, "encoder_units": units, "decoder_units": units}
        config = {**sizes, **widths, "tie_output": tie_output}
        logits = logits_of(TokenSeq2Seq(NetworkConfig.parse(config, where="test")), inputs)
        assert 0.02 < logits.std() < 2.0
