"""Step graphs: one more token for every row.

Rows are `(slots, width, 1, ...)`: the hypotheses of a slot share one copy of its source, and each
row is multiplied alone, so that no answer depends on the number of rows in the batch.
"""

from __future__ import annotations

from collections.abc import Sequence

from model.engine.shortlist import Shortlist
from model.layers.transformer_decoder import TransformerDecoder
from model.networks.tokens import TokenSeq2Seq
from training.export.attention import Source
from training.export.calibration import Ranges
from training.export.decoder import DecoderGraph, StateShape, StepValues
from training.export.graph import Graph
from training.export.projection import (
    ROWS,
    Projection,
    TopTokens,
    gathered_projection,
    shortlist_projection,
    vocabulary_projection,
)
from training.export.recurrent_decoder import RecurrentDecoderGraph
from training.export.transformer_decoder import TransformerDecoderGraph


def step_graph(network: TokenSeq2Seq, precision: str, ranges: Ranges) -> bytes:
    """Builds the graph over the whole vocabulary.

    Inputs: tokens int32 `(slots, width, 1)`; keys, values and state_0, ... as the encoder graph
    gives them, but with `width` rows of state for each source; padding float32 `(slots, 1, 1,
    source_len)`, 0 at real tokens and -1e9 at others; top_k int64 `(1,)`, at most the vocabulary;
    wanted int32 `(slots, width, 1, n)`.

    Outputs: best int32 and logprobs float32 `(slots, width, top_k)`, the likeliest tokens;
    attention_weights float32 `(slots, width, 1, source_len)`; next_state_0, ...; wanted_logprobs
    float32 `(slots, width, 1, n)`."""
    graph = Graph("step")
    top_k = graph.input("top_k", "int64", 1)
    wanted = graph.input("wanted", "int32", *ROWS, 1, "n")
    projection = vocabulary_projection(graph, network, precision, top_k, wanted)
    decoder = decoder_graph(network, precision, ranges)
    return _build(graph, decoder, projection, network.config.target_vocab_size)


def shortlist_graph(network: TokenSeq2Seq, shortlist: Shortlist, ranges: Ranges) -> bytes:
    """Builds the int8 graph over the candidates of each source, for a few rows.

    Inputs as of `step_graph`, but for `wanted`, and: candidates int32 `(slots, candidates)`, the
    tokens; columns int8 `(slots, readout_units, candidates)`, scales and bias float32 `(slots, 1,
    candidates)`, taken from `shortlist_columns`. Outputs as of `step_graph`, but for
    wanted_logprobs."""
    graph = Graph("shortlist")
    top_k = graph.input("top_k", "int64", 1)
    projection = shortlist_projection(graph, network, top_k)
    return _build(graph, decoder_graph(network, "int8", ranges), projection, shortlist.size - 1)


def gathered_graph(network: TokenSeq2Seq, shortlist: Shortlist, ranges: Ranges) -> bytes:
    """Builds what `shortlist_graph` does, for many rows: without the input `columns`, and with the
    same numbers."""
    graph = Graph("gathered")
    top_k = graph.input("top_k", "int64", 1)
    projection = gathered_projection(graph, shortlist.columns, top_k)
    return _build(graph, decoder_graph(network, "int8", ranges), projection, shortlist.size - 1)


def decoder_graph(network: TokenSeq2Seq, precision: str, ranges: Ranges) -> DecoderGraph:
    """Returns the nodes of the decoder of `network`; `ranges` are those of its activations."""
    is_transformer = isinstance(network.decoder, TransformerDecoder)
    kind = TransformerDecoderGraph if is_transformer else RecurrentDecoderGraph
    return kind(network, precision, ranges)


def _build(graph: Graph, decoder: DecoderGraph, projection: Projection, most_tokens: int) -> bytes:
    """Adds the step and returns the graph."""
    by_head = ("slots", 1) if decoder.heads == 1 else ("slots", 1, decoder.heads)
    tokens = graph.input("tokens", "int32", *ROWS, 1)
    source = Source(
        keys=graph.input("keys", "float32", *by_head, "key_units", "source_len"),
        values=graph.input("values", "float32", *by_head, "source_len", "value_units"),
        padding=graph.input("padding", "float32", "slots", 1, 1, "source_len"),
    )
    state = [
        graph.input(f"state_{i}", "float32", *ROWS, *_dimensions(shape))
        for i, shape in enumerate(decoder.state_shapes)
    ]
    values = decoder.step(graph, tokens, state, source)
    _add_outputs(graph, projection(values.readout), values, decoder.state_shapes)
    # In float32, the product of one row with weights is rounded differently from that of several.
    fewest_rows = 2 if graph.has_float_products else 1
    return graph.to_bytes(fewest_rows=fewest_rows, most_tokens=most_tokens)


def _dimensions(shape: StateShape) -> tuple[int | str, int]:
    return ("steps" if shape.is_history else 1), shape.units


def _add_outputs(
    graph: Graph, found: TopTokens, values: StepValues, state_shapes: Sequence[StateShape]
) -> None:
    """Declares the outputs of a step."""
    graph.output(found.tokens, "best", "int32", *ROWS, "k")
    graph.output(found.logprobs, "logprobs", "float32", *ROWS, "k")
    graph.output(values.attention_weights, "attention_weights", "float32", *ROWS, 1, "source_len")
    for i, (value, shape) in enumerate(zip(values.state, state_shapes, strict=True)):
        graph.output(value, f"next_state_{i}", "float32", *ROWS, *_dimensions(shape))
    if found.wanted_logprobs is not None:
        graph.output(found.wanted_logprobs, "wanted_logprobs", "float32", *ROWS, 1, "n")
