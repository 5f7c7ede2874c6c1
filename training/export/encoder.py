"""Encoder graph: encodes sources and computes once what every step needs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from model.layers.transformer import TransformerEncoder
from model.networks.tokens import TokenSeq2Seq
from model.types import Array
from training.export.calibration import Ranges
from training.export.graph import Graph, Value
from training.export.linear import array, fused_linear, layer_norm
from training.export.quantization import ARITHMETIC, Arithmetic
from training.export.recurrent_decoder import layer_limit
from training.export.step import decoder_graph
from training.export.transformer import scaled_table, transformer_outputs

#: Keras' order of gates -> ONNX' order.
GATES = {"gru": (0, 1, 2), "lstm": (0, 3, 1, 2)}


def encoder_graph(network: TokenSeq2Seq, precision: str, ranges: Ranges) -> bytes:
    """Builds the graph; `ranges` are those of the network's activations.

    Inputs: source_ids int32 `(batch, source_len)`, source_lengths int32 `(batch,)`. Outputs: keys
    `(batch, 1, [heads,] units, source_len)`, values `(batch, 1, [heads,] source_len,
    readout_units)`, state_0, ... `(batch, 1, 1, ...)`."""
    graph, arithmetic = Graph("encoder"), ARITHMETIC[precision]
    ids = graph.input("source_ids", "int32", "batch", "source_len")
    lengths = graph.input("source_lengths", "int32", "batch")
    outputs, limit, finals = _outputs(graph, arithmetic, network, ranges, ids, lengths)
    decoder = decoder_graph(network, precision, ranges)
    operand = arithmetic.quantize(graph, outputs, limit)
    if decoder.keys is None:
        keys = outputs
        (values,) = fused_linear(graph, arithmetic, operand, [decoder.values])
    else:
        keys, values = fused_linear(graph, arithmetic, operand, [decoder.keys, decoder.values])
    _output_keys_and_values(graph, keys, values, decoder.heads)

    state = decoder.initial_state(graph, finals)
    for i, (value, shape) in enumerate(zip(state, decoder.state_shapes, strict=True)):
        graph.output(value, f"state_{i}", "float32", "batch", 1, f"steps_{i}", shape.units)
    return graph.to_bytes()


def _outputs(
    graph: Graph,
    arithmetic: Arithmetic,
    network: TokenSeq2Seq,
    ranges: Ranges,
    ids: Value,
    lengths: Value,
) -> tuple[Value, float, list[Value]]:
    """Adds embedding and encoder. Returns outputs `(batch, source_len, width)`, their largest
    absolute value, and the final states `(batch, width)`."""
    encoder, embeddings = network.encoder, array(network.source_embedding.embeddings)
    if isinstance(encoder, TransformerEncoder):
        embedded = arithmetic.look_up(graph, scaled_table(encoder.reader, embeddings), ids)
        outputs, mean = transformer_outputs(graph, arithmetic, encoder, ranges, embedded, lengths)
        return outputs, ranges.of(encoder.norm), [mean]
    embedded = arithmetic.look_up(graph, embeddings, ids)
    sequence = graph.op("Transpose", embedded, perm=[1, 0, 2])  # S B E
    finals: list[Value] = []
    for i, forward in enumerate(encoder.forward_stack):
        below = sequence
        if encoder.norms and i:
            sequence = layer_norm(graph, encoder.norms[i - 1], sequence)
        layers = [forward, *encoder.backward_stack[i : i + 1]]
        sequence, finals = _recurrent(graph, arithmetic, encoder.cell, layers, sequence, lengths)
        if encoder.residual and i:
            sequence = graph.op("Add", sequence, below)
    limit = layer_limit(encoder.residual, encoder.depth - 1)
    return graph.op("Transpose", sequence, perm=[1, 0, 2]), limit, finals  # B S W


def _output_keys_and_values(graph: Graph, keys: Value, values: Value, heads: int) -> None:
    """Declares outputs of `(batch, source_len, heads * units)` in the layout of the step graph."""
    shape = graph.constant([0, 0, 1, heads, -1], "int64")
    keys, values = (graph.op("Reshape", each, shape) for each in (keys, values))
    keys = graph.op("Transpose", keys, perm=[0, 2, 3, 4, 1])  # B 1 H U S
    values = graph.op("Transpose", values, perm=[0, 2, 3, 1, 4])  # B 1 H S E
    if heads == 1:
        axis = graph.constant([2], "int64")
        keys, values = (graph.op("Squeeze", each, axis) for each in (keys, values))
    by_head = ("batch", 1) if heads == 1 else ("batch", 1, heads)
    graph.output(keys, "keys", "float32", *by_head, "key_units", "source_len")
    graph.output(values, "values", "float32", *by_head, "source_len", "readout_units")


def _recurrent(
    graph: Graph,
    arithmetic: Arithmetic,
    cell: str,
    layers: list[keras.layers.RNN],
    sequence: Value,
    lengths: Value,
) -> tuple[Value, list[Value]]:
    """Applies a layer, in one direction or both, to `(source_len, batch, features)`; returns its
    outputs `(source_len, batch, width)` and final states `(batch, width)`."""
    parts = zip(*[_onnx_weights(cell, layer) for layer in layers], strict=True)
    kernel, recurrent, bias = (np.stack(part) for part in parts)
    weights = arithmetic.rows(graph, kernel), arithmetic.rows(graph, recurrent)
    options: dict[str, Any] = {"linear_before_reset": 1} if cell == "gru" else {}
    outputs, *finals = graph.ops(
        cell.upper(),
        sequence,
        *weights,
        arithmetic.weight(graph, bias),
        lengths,
        count=2 if cell == "gru" else 3,
        direction="bidirectional" if len(layers) == 2 else "forward",
        hidden_size=layers[0].units,
        **options,
    )
    by_row = graph.op("Transpose", outputs, perm=[0, 2, 1, 3])  # S D B H -> S B D H
    concatenated = graph.op("Reshape", by_row, graph.constant([0, 0, -1], "int64"))
    states = [
        graph.op(
            "Reshape",
            graph.op("Transpose", final, perm=[1, 0, 2]),
            graph.constant([0, -1], "int64"),
        )
        for final in finals
    ]
    return concatenated, states


def _onnx_weights(cell: str, layer: keras.layers.RNN) -> tuple[Array, Array, Array]:
    """Returns W `(gates * units, features)`, R `(gates * units, units)` and both biases in one
    row."""
    kernel, recurrent, bias = (array(weight) for weight in layer.cell.trainable_weights)
    biases = bias if cell == "gru" else np.stack([bias, np.zeros_like(bias)])

    def reorder_gates(weight: Array) -> Array:
        gates = np.split(weight, len(GATES[cell]), axis=-1)
        return np.concatenate([gates[i] for i in GATES[cell]], axis=-1)

    return reorder_gates(kernel).T, reorder_gates(recurrent).T, reorder_gates(biases).reshape(-1)
