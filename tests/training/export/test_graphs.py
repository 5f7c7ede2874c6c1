"""Graphs say what the network says, for every part that a network may have."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import keras
import numpy as np
import onnx
import pytest

from model.config import NetworkConfig
from model.contract import Engine, StepResult
from model.engine.keras import KerasEngine
from model.engine.onnx import OnnxEngine, Precision
from model.engine.shortlist import Shortlist
from model.networks.tokens import TokenSeq2Seq
from training.export.calibration import Ranges
from training.export.export import Agreement, compare, graph_files, shortlist_files
from training.export.projection import shortlist_columns
from training.export.quantization import quantize_columns
from training.export.step import step_graph

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
            cell=cell,
            attention=attention,
            input_feeding=input_feeding,
            bidirectional=bidirectional,
            tie_output=False,
        )
    )
    draw = np.random.default_rng(2)
    for weight in network.trainable_weights:
        weight.assign(draw.normal(scale=0.6, size=weight.shape))
    return network


def build_other(parts: dict[str, object]) -> TokenSeq2Seq:
    keras.utils.set_random_seed(1)
    sizes = {"source_vocab_size": 30, "target_vocab_size": 40, "encoder_layers": 2, "heads": 4}
    widths = {"embedding_units": 8, "encoder_units": 16, "decoder_units": 16}
    has_hidden = {
        "encoder_feed_forward_units": parts.get("encoder") == "transformer",
        "decoder_feed_forward_units": parts.get("decoder", "recurrent") != "recurrent",
    }
    hidden = {name: 24 for name, is_there in has_hidden.items() if is_there}
    config = NetworkConfig.parse({**sizes, **widths, **hidden, **parts}, where="test")
    network = TokenSeq2Seq(config)
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
    assert 1e-4 < rough.difference < 0.2


OTHERS: list[dict[str, object]] = [
    {"encoder": "transformer", "embedding_units": 16},
    {"encoder": "transformer", "cell": "lstm", "attention": "dot", "decoder_layers": 2},
    {"encoder": "transformer", "decoder": "ssru", "decoder_layers": 2},
    {"encoder": "transformer", "decoder": "ssru", "tie_output": False, "heads": 1},
    {"decoder": "ssru", "decoder_feed_forward_units": 0},
    {"encoder": "transformer", "decoder": "transformer", "decoder_layers": 2},
    {"decoder": "transformer"},
    {"residual": True, "encoder_layers": 3, "decoder_layers": 3},
    {"residual": True, "layer_norm": True, "encoder_layers": 2, "decoder_layers": 3},
    {"layer_norm": True, "attention": "multihead", "input_feeding": True, "decoder_layers": 2},
    {"target_vocab_size": 64},  # the projection needs no padding
]


@pytest.mark.parametrize("parts", OTHERS, ids=lambda parts: "-".join(map(str, parts.values())))
def test_graphs_of_other_parts_say_what_the_network_says(parts: dict[str, object]) -> None:
    network = build_other(parts)
    found = compared(network, "float32")
    assert found.share == 1.0
    assert found.difference < 1e-4
    rough = compared(network, "int8")
    assert 1e-4 < rough.difference < 0.1
    assert rough.share > 0.8  # its random weights make many tokens almost equally likely


@pytest.mark.parametrize("parts", OTHERS, ids=lambda parts: "-".join(map(str, parts.values())))
def test_sources_get_alone_what_they_get_together(parts: dict[str, object]) -> None:
    network = build_other(parts)
    tolerances: dict[Precision, float] = {"float32": 2e-6, "int8": 0.0}
    for precision, tolerance in tolerances.items():
        engine = OnnxEngine(*graph_files(network, precision).values())
        together = logprobs_of(engine, range(len(SOURCES)))
        for row in range(len(SOURCES)):
            found = logprobs_of(engine, [row])[0]
            np.testing.assert_allclose(found, together[row], rtol=0, atol=tolerance)


#: Sources of many lengths, and the tokens that their targets read.
SOURCES = [
    np.random.default_rng(size).integers(5, 30, size).astype(np.int32)
    for size in (7, 3, 1, 12, 30, 2)
]
TOKENS = np.random.default_rng(9).integers(5, 40, (len(SOURCES), 20)).astype(np.int32)


def logprobs_of(engine: OnnxEngine, rows: Sequence[int]) -> np.ndarray:
    """Log-probabilities of all tokens at each step, of sources that are encoded together."""
    lengths = np.array([len(SOURCES[row]) for row in rows], np.int32)
    ids = np.zeros((len(rows), lengths.max()), np.int32)
    for padded, row in zip(ids, rows, strict=True):
        padded[: len(SOURCES[row])] = SOURCES[row]
    table, slots = engine.new_table(1, use_shortlist=False), np.arange(len(rows))
    table.insert(slots, engine.encode(ids, lengths, np.zeros(len(rows), bool)), slots)
    steps = [table.step(None, tokens[:, None], 40) for tokens in TOKENS[list(rows)].T]
    return np.stack([step.logprobs[:, 0] for step in steps], axis=1)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_step_contains_a_tied_embedding_once(precision: Precision) -> None:
    network = build_other({"target_vocab_size": 600, "embedding_units": 16})
    graph = onnx.load_from_string(step_graph(network, precision, Ranges(network)))
    sizes = [math.prod(each.dims) for each in graph.graph.initializer]
    assert sum(size >= 600 * 16 for size in sizes) == 1


@pytest.mark.parametrize("decoder", ["ssru", "transformer"])
def test_candidates_get_the_scores_of_the_vocabulary(decoder: str) -> None:
    network = build_other({"encoder": "transformer", "decoder": decoder, "decoder_layers": 2})
    graphs, everything = graph_files(network, "int8"), np.arange(40, dtype=np.int32)
    units = network.decoder.readout_units
    shortlist = Shortlist(
        frequent=everything,
        likely=np.tile(everything[:4], (30, 1)),
        always=39,
        size=41,
        **shortlist_columns(network, Ranges(network), others=(np.zeros(units), -1e9)),
    )
    files = tuple(shortlist_files(network, shortlist).values())
    engine = OnnxEngine(*graphs.values(), shortlist=files)
    slots = np.arange(10)
    found = []
    for use_shortlist in (False, True):
        for count in (1, 10):  # few rows, and many
            table = engine.new_table(1, use_shortlist=use_shortlist)
            ids = np.tile(SOURCES[0], (count, 1))
            encoded = engine.encode(
                ids, np.full(count, len(SOURCES[0])), np.full(count, use_shortlist)
            )
            table.insert(slots[:count], encoded, slots[:count])
            table.step(None, np.full((count, 1), 6, np.int32), 40)
            found.append(table.step(None, np.full((count, 1), 7, np.int32), 40))
    for result in found[1:]:
        np.testing.assert_array_equal(result.tokens[0], found[0].tokens[0])
        np.testing.assert_allclose(result.logprobs[0], found[0].logprobs[0], atol=1e-5)


def test_a_history_outgrows_its_room() -> None:
    network = build_other({"decoder": "transformer", "decoder_layers": 2})
    source, length = np.array([[5, 6, 7, 8]], np.int32), np.array([4], np.int32)
    slots, tokens = np.arange(2), np.random.default_rng(0).integers(5, 40, 30).astype(np.int32)
    onnx = OnnxEngine(*graph_files(network, "float32").values())
    engines: list[Engine] = [KerasEngine(network), onnx]
    found = []
    for engine in engines:
        table = engine.new_table(2, use_shortlist=False)
        table.insert(slots[:1], engine.encode(source, length, np.zeros(1, bool)), slots[:1])
        for t in range(20):  # the second slot comes when the first has read much
            if t == 12:
                encoded = engine.encode(source[:, :2], length - 2, np.zeros(1, bool))
                table.insert(slots[1:], encoded, slots[:1])
            count = 1 if t < 12 else 2
            fed = np.stack([tokens[[t, t + 5]], tokens[[t + 1, t]]])[:count]
            parents = np.array([[1, 0], [3, 3]], np.int32)[:count]
            result = table.step(parents, fed, top_k=40, with_attention=True)
        found.append(result)
    for name in ("tokens", "logprobs", "attention_weights"):
        one, other = (getattr(each, name) for each in found)
        np.testing.assert_allclose(one[..., : other.shape[-1]], other, atol=1e-4)


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
