"""Transformer encoder as nodes of a graph."""

from __future__ import annotations

import keras
import numpy as np

from model.layers.attention import MultiHeadAttention
from model.layers.transformer import (
    LONGEST_WAVE,
    FeedForward,
    PositionedInput,
    TransformerEncoder,
    TransformerEncoderLayer,
)
from model.types import Array
from training.export.calibration import Ranges
from training.export.graph import FLOAT, INT32, RUNTIME_DOMAIN, Graph, Value
from training.export.linear import Linear, array, dense, fused_linear, layer_norm
from training.export.quantization import Arithmetic

#: Added to the energies of padding: what is left after the softmax is 0 in float32.
PADDING_ENERGY = -1e9


def transformer_outputs(
    graph: Graph,
    arithmetic: Arithmetic,
    encoder: TransformerEncoder,
    ranges: Ranges,
    embedded: Value,
    lengths: Value,
) -> tuple[Value, Value]:
    """Adds the encoder.

    Args:
        embedded: `(batch, source_len, units)`, rows of `scaled_table`.
        lengths: int32 `(batch,)`.

    Returns:
        outputs `(batch, source_len, units)` and their mean over real tokens `(batch, units)`.
    """
    places = places_in(graph, graph.op("Shape", embedded, start=1, end=2))
    column = graph.op("Unsqueeze", places, graph.constant([1], "int64"))
    sequence = graph.op("Add", embedded, position_encodings(graph, column, encoder.units))
    by_source = graph.op("Unsqueeze", lengths, graph.constant([1], "int64"))
    is_real = graph.op("Less", graph.op("Cast", places, to=INT32), by_source)  # B S
    mask = graph.op("Cast", is_real, to=INT32)
    for layer in encoder.stack:
        sequence = _layer(graph, arithmetic, layer, ranges, sequence, mask)
    outputs = layer_norm(graph, encoder.norm, sequence)
    return outputs, _mean(graph, outputs, is_real, by_source)


def scaled_table(reader: PositionedInput, embeddings: Array) -> Array:
    """Returns the embeddings as the first layer reads them: scaled, and projected if need be."""
    scaled = embeddings * reader.scale
    return scaled if reader.projection is None else scaled @ array(reader.projection.kernel)


def feed_forward(
    graph: Graph,
    arithmetic: Arithmetic,
    layer: FeedForward,
    norm: keras.layers.LayerNormalization,
    ranges: Ranges,
    sequence: Value,
) -> Value:
    """Adds a feed-forward part with its normalisation and residual."""
    seen = arithmetic.quantize(graph, layer_norm(graph, norm, sequence), ranges.of(norm))
    (hidden,) = fused_linear(graph, arithmetic, seen, [dense(layer.hidden)])
    output = layer.output_projection
    operand = arithmetic.quantize(graph, graph.op("Relu", hidden), ranges.of(output))
    (change,) = fused_linear(graph, arithmetic, operand, [dense(output)])
    return graph.op("Add", sequence, change)


def _layer(
    graph: Graph,
    arithmetic: Arithmetic,
    layer: TransformerEncoderLayer,
    ranges: Ranges,
    sequence: Value,
    mask: Value,
) -> Value:
    attend = layer.attend
    norm = layer.attend_norm
    seen = arithmetic.quantize(graph, layer_norm(graph, norm, sequence), ranges.of(norm))
    projections = fused_linear(graph, arithmetic, seen, _projections(attend))
    context = graph.op(
        "MultiHeadAttention",
        *projections,
        "",
        mask,
        domain=RUNTIME_DOMAIN,
        num_heads=attend.heads,
        mask_filter_value=PADDING_ENERGY,
    )
    operand = arithmetic.quantize(graph, context, ranges.of(attend.output_projection))
    (change,) = fused_linear(graph, arithmetic, operand, [dense(attend.output_projection)])
    sequence = graph.op("Add", sequence, change)
    return feed_forward(
        graph, arithmetic, layer.feed_forward, layer.feed_forward_norm, ranges, sequence
    )


def _projections(attend: MultiHeadAttention) -> list[Linear]:
    layers = (attend.query_projection, attend.key_projection, attend.value_projection)
    return [dense(each) for each in layers]


def places_in(graph: Graph, length: Value) -> Value:
    """Returns 0 .. length - 1, float32; `length` is `(1,)`."""
    end = graph.op("Squeeze", graph.op("Cast", length, to=FLOAT))
    return graph.op("Range", graph.constant(0.0), end, graph.constant(1.0))


def position_encodings(graph: Graph, positions: Value, units: int) -> Value:
    """Returns the encodings `(..., units)` of positions `(..., 1)`, float32."""
    steps = np.arange(0, units, 2, dtype=np.float32) / np.float32(units)
    angles = graph.op("Mul", positions, graph.constant(np.float32(LONGEST_WAVE) ** -steps))
    return graph.op("Concat", graph.op("Sin", angles), graph.op("Cos", angles), axis=-1)


def _mean(graph: Graph, outputs: Value, is_real: Value, lengths: Value) -> Value:
    """Returns the mean of `outputs` `(batch, source_len, units)` over real tokens; `lengths` is
    int32 `(batch, 1)`."""
    weights = graph.op("Cast", is_real, to=FLOAT)
    column = graph.op("Unsqueeze", weights, graph.constant([2], "int64"))
    total = graph.op(
        "ReduceSum", graph.op("Mul", outputs, column), graph.constant([1], "int64"), keepdims=0
    )
    return graph.op("Div", total, graph.op("Cast", lengths, to=FLOAT))
