"""Transformer decoder, of self-attention or SSRUs, as nodes of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from model.layers.attention import MultiHeadAttention
from model.layers.ssru import SSRU
from model.layers.transformer_decoder import MIN_HISTORY, CausalSelfAttention
from model.networks.tokens import TokenSeq2Seq
from training.export.attention import Source, attend, attend_by_head
from training.export.calibration import Ranges
from training.export.decoder import StateShape, StepValues
from training.export.graph import INT32, RUNTIME_DOMAIN, Graph, Value
from training.export.linear import (
    Linear,
    array,
    by_head,
    concatenate_linears,
    dense,
    fused_linear,
    layer_norm,
)
from training.export.projection import readout_limit
from training.export.quantization import ARITHMETIC, Operand
from training.export.transformer import (
    PADDING_ENERGY,
    feed_forward,
    places_in,
    position_encodings,
    scaled_table,
)


class TransformerDecoderGraph:
    """See `training.export.decoder.DecoderGraph`.

    The heads of all layers are side by side. The state of SSRUs is c of each layer; of
    self-attention, the history of each layer and then the number of tokens read.
    """

    def __init__(self, network: TokenSeq2Seq, precision: str, ranges: Ranges) -> None:
        decoder: Any = network.decoder
        self._network, self._decoder, self._ranges = network, decoder, ranges
        self._arithmetic = ARITHMETIC[precision]
        self.heads = decoder.depth * decoder.heads
        by_layer = [source_linears(layer.attend) for layer in decoder.stack]
        keys, values = zip(*by_layer, strict=True)
        self.keys: Linear | None = concatenate_linears(keys)
        self.values = concatenate_linears(values)
        self.state_shapes: Sequence[StateShape] = [StateShape(decoder.units)] * decoder.depth
        if not decoder.uses_ssru:
            history = StateShape(2 * decoder.units, is_history=True)
            self.state_shapes = [*[history] * decoder.depth, StateShape(1)]

    def initial_state(self, graph: Graph, finals: Sequence[Value]) -> list[Value]:
        """Implements `DecoderGraph`."""
        batch = graph.op("Shape", finals[0], start=0, end=1)
        state = []
        for shape in self.state_shapes:
            steps = MIN_HISTORY if shape.is_history else 1
            rest = graph.constant([1, steps, shape.units], "int64")
            sizes = graph.op("Concat", batch, rest, axis=0)
            state.append(graph.op("Expand", graph.constant(0.0), sizes))
        return state

    def step(
        self, graph: Graph, tokens: Value, state: Sequence[Value], source: Source
    ) -> StepValues:
        """Implements `DecoderGraph`."""
        decoder = self._decoder
        embeddings = array(self._network.target_embedding.embeddings)
        scaled = scaled_table(decoder.reader, embeddings)
        output = self._arithmetic.look_up(graph, scaled, tokens)
        read = None if decoder.uses_ssru else state[-1]
        if read is not None:
            positions = position_encodings(graph, read, decoder.units)
            output = graph.op("Add", output, positions)
        next_state: list[Value] = []
        attention_weights: Value = ""
        for i, own in enumerate(self._sources(graph, source)):
            layer = decoder.stack[i]
            if read is not None:
                past, kept = self._self_attention(graph, layer, output, state[i], read)
            else:
                forget, candidate = self._gates(graph, layer, output)
                past, kept = _ssru_step(graph, forget, candidate, state[i])
            next_state.append(kept)
            output = graph.op("Add", output, past)
            output, attention_weights = self._read_source(graph, layer, output, own)
        if read is not None:
            next_state.append(graph.op("Add", read, graph.constant(1.0)))
        return StepValues(self._readout(graph, output), attention_weights, next_state)

    def _gates(self, graph: Graph, layer: Any, inputs: Value) -> list[Value]:
        """Returns the products of an SSRU with its normalised input: forget gate and candidate."""
        past: SSRU = layer.past
        seen = self._quantize(graph, layer.past_norm, inputs)
        linears = [dense(past.forget), dense(past.candidate)]
        return fused_linear(graph, self._arithmetic, seen, linears)

    def _self_attention(
        self, graph: Graph, layer: Any, inputs: Value, history: Value, read: Value
    ) -> tuple[Value, Value]:
        """Returns the output of self-attention and the next history."""
        past: CausalSelfAttention = layer.past
        attention, units = past.attention, past.attention.units
        seen = self._quantize(graph, layer.past_norm, inputs)
        names = ("query_projection", "key_projection", "value_projection")
        linears = [dense(getattr(attention, name)) for name in names]
        query, key, value = fused_linear(graph, self._arithmetic, seen, linears)
        steps = graph.op("Shape", history, start=2, end=3)
        places = places_in(graph, steps)
        places = graph.op("Unsqueeze", places, graph.constant([1], "int64"))  # P 1
        new = graph.op("Concat", key, value, axis=-1)
        history = graph.op("Where", graph.op("Equal", places, read), new, history)  # G W P 2U
        is_past = graph.op("Cast", graph.op("LessOrEqual", places, read), to=INT32)
        rows = graph.constant([-1], "int64")
        by_row = graph.op("Concat", rows, steps, axis=0)
        width = graph.constant([2 * units], "int64")
        flat = graph.op("Reshape", history, graph.op("Concat", by_row, width, axis=0))
        context = graph.op(
            "MultiHeadAttention",
            graph.op("Reshape", query, graph.constant([-1, 1, units], "int64")),
            *graph.ops("Split", flat, count=2, axis=-1),
            "",
            graph.op("Reshape", is_past, by_row),
            domain=RUNTIME_DOMAIN,
            num_heads=attention.heads,
            mask_filter_value=PADDING_ENERGY,
        )
        context = graph.op("Reshape", context, graph.op("Shape", query))
        return self._project(graph, attention.output_projection, context), history

    def _read_source(
        self, graph: Graph, layer: Any, inputs: Value, source: Source
    ) -> tuple[Value, Value]:
        """Returns the output of a layer whose target's past is in `inputs`, and the attention."""
        seen = self._quantize(graph, layer.attend_norm, inputs)
        linears = [dense(layer.attend.query_projection)]
        (query,) = fused_linear(graph, self._arithmetic, seen, linears)
        if self.heads == 1:
            context, attention_weights = attend(graph, query, source, None)
        else:
            context, attention_weights = attend_by_head(graph, query, source, layer.attend.heads)
        output = graph.op("Add", inputs, context)
        if layer.feed_forward is not None:
            norm = layer.feed_forward_norm
            output = feed_forward(
                graph, self._arithmetic, layer.feed_forward, norm, self._ranges, output
            )
        return output, attention_weights

    def _readout(self, graph: Graph, output: Value) -> Operand:
        decoder = self._decoder
        readout = layer_norm(graph, decoder.norm, output)
        if decoder.readout is not None:
            readout = self._project(graph, decoder.readout, readout)
        limit = readout_limit(self._network, self._ranges)
        return self._arithmetic.quantize(graph, readout, limit)

    def _sources(self, graph: Graph, source: Source) -> list[Source]:
        """Returns the part of the source of each layer."""
        depth, heads = self._decoder.depth, self._decoder.heads
        if depth == 1:
            return [source]
        sizes = graph.constant([heads] * depth, "int64")
        keys, values = (
            graph.ops("Split", each, sizes, count=depth, axis=2)
            for each in (source.keys, source.values)
        )
        return [Source(*each, source.padding) for each in zip(keys, values, strict=True)]

    def _quantize(self, graph: Graph, norm: Any, inputs: Value) -> Operand:
        seen = layer_norm(graph, norm, inputs)
        return self._arithmetic.quantize(graph, seen, self._ranges.of(norm))

    def _project(self, graph: Graph, layer: Any, inputs: Value) -> Value:
        operand = self._arithmetic.quantize(graph, inputs, self._ranges.of(layer))
        (output,) = fused_linear(graph, self._arithmetic, operand, [dense(layer)])
        return output


def source_linears(attention: MultiHeadAttention) -> tuple[Linear, Linear]:
    """Returns what makes keys and values of encoder outputs.

    Keys contain the division by the root of their size. Values are multiplied by their head's part
    of the output weights beforehand; as the weights of a head sum to 1, they also contain its share
    of the output bias.
    """
    heads = attention.heads
    keys, output = dense(attention.key_projection), dense(attention.output_projection)
    scale = (attention.units // heads) ** -0.5
    values = by_head(dense(attention.value_projection), output.kernel, heads)
    bias = values.bias + np.tile(output.bias / heads, heads)
    return Linear(keys.kernel * scale, keys.bias * scale), Linear(values.kernel, bias)


def _ssru_step(graph: Graph, forget: Value, candidate: Value, c: Value) -> tuple[Value, Value]:
    """Returns h and the next c."""
    # f c + (1 - f) candidate
    change = graph.op("Mul", graph.op("Sigmoid", forget), graph.op("Sub", c, candidate))
    c = graph.op("Add", candidate, change)
    return graph.op("Relu", c), c
