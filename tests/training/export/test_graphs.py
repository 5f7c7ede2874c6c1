"""Graphs say what the network says, for every part that a network may have."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from model.config import NetworkConfig
from model.contract import StepResult
from model.engine.keras import KerasEngine
from model.engine.onnx import OnnxEngine, Precision
from model.errors import EngineError
from model.networks.tokens import TokenSeq2Seq
from training.export.export import Agreement, compare, graph_files
from training.export.quantization import quantize_columns

SCORES = ["additive", "concat", "dot", "general", "multihead"]
PARTS = [
    *itertools.product(["gru", "lstm"], SCORES, [False], [1], [True]),
    ("gru", "general", True, 2, True),
    ("lstm", "additive", True, 2, False),
    ("gru", "multihead", True, 1, False),
]


def build(
    cell: str, attention: str, input_feeding: bool, layers: int, bidirectional: bool
) -> TokenSeq2Seq:
    keras.utils.set_random_seed(1)
    network = TokenSeq2Seq(
        NetworkConfig(
            source_vocab_size=30,
            target_vocab_size=40,
            embedding_units=8,
            encoder_units=8 if bidirectional else 16,
            decoder_units=16,
            encoder_layers=layers,
            decoder_layers=layers,
            cell=cell,  # type: ignore[arg-type]
            attention=attention,  # type: ignore[arg-type]
            input_feeding=input_feeding,
            bidirectional=bidirectional,
            tie_output=False,
        )
    )
    draw = np.random.default_rng(2)
    for weight in network.trainable_weights:
        weight.assign(draw.normal(scale=0.6, size=weight.shape))
    return network


def build_transformer(**parts: object) -> TokenSeq2Seq:
    keras.utils.set_random_seed(1)
    sizes = {"source_vocab_size": 30, "target_vocab_size": 40, "encoder_layers": 2, "heads": 4}
    widths = {"embedding_units": 8, "encoder_units": 16, "decoder_units": 16}
    shape = {**sizes, **widths, "encoder": "transformer", "encoder_feed_forward_units": 24}
    network = TokenSeq2Seq(NetworkConfig.parse({**shape, **parts}, where="test"))
    draw = np.random.default_rng(2)
    for weight in network.trainable_weights:
        weight.assign(weight + draw.normal(scale=0.1, size=weight.shape))
    return network


def compared(network: TokenSeq2Seq, precision: Precision) -> Agreement:
    draw = np.random.default_rng(3)
    sources = [draw.integers(5, 30, size).astype(np.int32) for size in (7, 3, 1, 5)]
    graphs = OnnxEngine(*graph_files(network, precision).values())
    return compare(KerasEngine(network), graphs, sources)


@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: "-".join(map(str, parts)))
def test_float32_graphs_say_what_the_network_says(parts: tuple[str, str, bool, int, bool]) -> None:
    network = build(*parts)
    found = compared(network, "float32")
    assert found.share == 1.0
    assert found.difference < 1e-4  # products are grouped otherwise, so they round otherwise
    rough = compared(network, "int8")
    assert 1e-4 < rough.difference < 0.15


TRANSFORMERS: list[dict[str, object]] = [
    {"embedding_units": 16},
    {"cell": "lstm", "attention": "dot"},
    {"attention": "multihead", "input_feeding": True, "decoder_layers": 2},
]


@pytest.mark.parametrize("parts", TRANSFORMERS, ids=lambda parts: "-".join(map(str, parts)))
def test_graphs_of_a_transformer_encoder_say_what_the_network_says(
    parts: dict[str, object],
) -> None:
    network = build_transformer(**parts)
    found = compared(network, "float32")
    assert found.share == 1.0
    assert found.difference < 1e-4
    rough = compared(network, "int8")
    assert 1e-4 < rough.difference < 0.05
    assert rough.share > 0.9


def test_parts_without_a_graph_are_named() -> None:
    with pytest.raises(EngineError, match="residual = true"):
        graph_files(build_transformer(residual=True), "float32")


def test_another_network_disagrees() -> None:
    one, other = build(*PARTS[0]), build(*PARTS[0])
    for weight in other.decoder.trainable_weights:
        weight.assign(-weight)
    graphs = OnnxEngine(*graph_files(other, "float32").values())
    assert compare(KerasEngine(one), graphs, [np.array([5, 6, 7], np.int32)]).share < 0.9


def test_columns_keep_their_own_scale() -> None:
    matrix = np.array([[1.0, 0.001, 0.0], [-0.5, 0.002, 0.0]])
    scales, steps = quantize_columns(matrix)
    assert (np.abs(scales * steps - matrix) <= 1e-2 * np.abs(matrix).max(axis=0)).all()
    assert np.abs(steps).max() <= 63


@pytest.mark.parametrize("top_k", [1, 3, 70, 150, 1000])
def test_few_rows_and_many_choose_the_same_tokens(top_k: int) -> None:
    keras.utils.set_random_seed(4)
    network = TokenSeq2Seq(
        NetworkConfig(source_vocab_size=30, target_vocab_size=150, tie_output=False)
    )
    # Tokens 7, 70 and 140 are equals everywhere; they lie in different blocks.
    for weight in (network.projection.matrix(), network.projection.bias):
        values = keras.ops.convert_to_numpy(weight).copy()
        values[..., [70, 140]] = values[..., [7]]
        weight.assign(values)
    graphs = OnnxEngine(*graph_files(network, "float32").values())

    def step(rows: int) -> StepResult:
        table, ids = graphs.new_table(rows, use_shortlist=False), np.array([[5, 6, 7]], np.int32)
        source = graphs.encode(ids, np.array([3], np.int32), np.zeros(1, bool))
        table.insert(np.array([0]), source, np.array([0]))
        return table.step(None, np.full((1, rows), 9, np.int32), top_k)

    few, many = step(2), step(12)
    assert few.tokens.shape == (1, 2, min(top_k, 150))
    np.testing.assert_array_equal(many.tokens, np.repeat(few.tokens[:, :1], 12, axis=1))
    np.testing.assert_array_equal(many.logprobs, np.repeat(few.logprobs[:, :1], 12, axis=1))
    places = [few.tokens[0, 0].tolist().index(each) for each in (7, 70, 140) if top_k >= 150]
    assert places == sorted(places)
