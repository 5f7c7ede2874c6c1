"""Recurrent decoder as nodes of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from model.networks.tokens import TokenSeq2Seq
from training.export.attention import Source, attend, attend_by_head
from training.export.calibration import Ranges
from training.export.decoder import StateShape, StepValues
from training.export.graph import Graph, Value
from training.export.linear import (
    DecoderWeights,
    array,
    dense,
    fused_linear,
    layer_norm,
)
from training.export.quantization import ARITHMETIC, TANH_LIMIT, Operand


class RecurrentDecoderGraph:
    """See `training.export.decoder.DecoderGraph`.

    Its state is, for each layer, h (GRU) or c (LSTM) and h multiplied by the layer's recurrent
    weights; with input feeding, then the part of the first layer's input for the last readout.
    """

    def __init__(self, network: TokenSeq2Seq, precision: str, ranges: Ranges) -> None:
        self._network = network
        self._ranges = ranges
        self._decoder: Any = network.decoder
        self._arithmetic = ARITHMETIC[precision]
        weights = self._weights = DecoderWeights.of(self._decoder)
        self.heads, self.keys, self.values = weights.heads, weights.keys, weights.values
        units = [w for own in weights.recurrent for w in (self._decoder.units, own.units)]
        if weights.feeding is not None:
            units.append(weights.feeding.units)
        self.state_shapes: Sequence[StateShape] = [StateShape(each) for each in units]

    def initial_state(self, graph: Graph, finals: Sequence[Value]) -> list[Value]:
        """Implements `DecoderGraph`."""
        decoder, arithmetic, weights = self._decoder, self._arithmetic, self._weights
        size = len(decoder.state_names)
        state: list[Value] = []
        for layer in range(decoder.depth):
            states = []
            for kind, bridge in enumerate(decoder.bridges[layer * size : (layer + 1) * size]):
                final = Operand(finals[kind % len(finals)])
                (value,) = fused_linear(graph, arithmetic, final, [dense(bridge)])
                by_row = graph.op("Unsqueeze", value, graph.constant([1, 2], "int64"))
                states.append(graph.op("Tanh", by_row))
            own = fused_linear(
                graph, arithmetic, arithmetic.quantize(graph, states[0]), [weights.recurrent[layer]]
            )
            state += [states[-1], *own]
        if weights.feeding is not None:
            zeros = graph.constant(np.zeros((decoder.units, weights.feeding.units)))
            state.append(graph.op("MatMul", state[0], zeros))
        return state

    def step(
        self, graph: Graph, tokens: Value, state: Sequence[Value], source: Source
    ) -> StepValues:
        """Implements `DecoderGraph`."""
        weights, arithmetic = self._weights, self._arithmetic
        embeddings = array(self._network.target_embedding.embeddings)
        first = weights.inputs[0]
        layer_input = arithmetic.multiply_rows(graph, embeddings, tokens, first.kernel, first.bias)
        if weights.feeding is not None:
            layer_input = graph.op("Add", layer_input, state[-1])
        next_state: list[Value] = []
        output: Value = ""
        products: list[Value] = []
        for layer in range(self._decoder.depth):
            cell_state, from_h = state[2 * layer : 2 * layer + 2]
            h, cell_state = CELL_STEPS[self._decoder.cell](
                graph, self._decoder.units, layer_input, from_h, cell_state
            )
            output, products = self._multiply(graph, layer, h, output)
            from_h, layer_input, *_ = products
            next_state += [cell_state, from_h]
        query = products[2] if weights.query is not None else output
        context, attention_weights = self._attend(graph, query, source)
        readout = arithmetic.quantize(
            graph, graph.op("Tanh", graph.op("Add", layer_input, context))
        )
        if weights.feeding is not None:
            next_state += fused_linear(graph, arithmetic, readout, [weights.feeding])
        return StepValues(readout, attention_weights, next_state)

    def _multiply(
        self, graph: Graph, layer: int, h: Value, below: Value
    ) -> tuple[Value, list[Value]]:
        """Returns the output of `layer`, and its products: h by the layer's recurrent weights, the
        output by the layer above or by readout and query. `below` is the output of the layer
        below."""
        decoder, arithmetic = self._decoder, self._arithmetic
        recurrent, *above = self._weights.consumers(layer)
        is_top = layer + 1 == decoder.depth
        is_sum = decoder.residual and layer > 0
        operand = arithmetic.quantize(graph, h)
        if not is_sum and (is_top or not decoder.norms):
            return h, fused_linear(graph, arithmetic, operand, [recurrent, *above])
        output = graph.op("Add", h, below) if is_sum else h
        seen, limit = output, layer_limit(decoder.residual, layer)
        if decoder.norms and not is_top:
            norm = decoder.norms[layer]
            seen, limit = layer_norm(graph, norm, output), self._ranges.of(norm)
        products = fused_linear(graph, arithmetic, operand, [recurrent])
        operand = arithmetic.quantize(graph, seen, limit)
        return output, products + fused_linear(graph, arithmetic, operand, above)

    def _attend(self, graph: Graph, query: Value, source: Source) -> tuple[Value, Value]:
        if self.heads > 1:
            return attend_by_head(graph, query, source, self.heads)
        return attend(graph, query, source, self._weights.energy_vector)


def layer_limit(residual: bool, layer: int) -> float:
    """Returns the greatest absolute output of `layer`, from 0: the sum of those up to it."""
    return TANH_LIMIT * (layer + 1 if residual else 1)


def _gru_step(
    graph: Graph, units: int, from_input: Value, from_h: Value, h: Value
) -> tuple[Value, Value]:
    """Returns the output twice, as it is also the state that is carried. `from_input` and `from_h`
    are the products of the weights with the input and with h."""
    sizes = graph.constant([2 * units, units], "int64")
    gates_input, candidate_input = graph.ops("Split", from_input, sizes, count=2, axis=-1)
    gates_h, candidate_h = graph.ops("Split", from_h, sizes, count=2, axis=-1)
    gates = graph.op("Sigmoid", graph.op("Add", gates_input, gates_h))
    z, r = graph.ops("Split", gates, count=2, axis=-1)
    candidate = graph.op("Tanh", graph.op("Add", candidate_input, graph.op("Mul", r, candidate_h)))
    # z h + (1 - z) candidate
    change = graph.op("Mul", z, graph.op("Sub", h, candidate))
    output = graph.op("Add", candidate, change)
    return output, output


def _lstm_step(
    graph: Graph, units: int, from_input: Value, from_h: Value, c: Value
) -> tuple[Value, Value]:
    """Returns the output, and c, the state that is carried."""
    i, f, candidate, o = graph.ops("Split", graph.op("Add", from_input, from_h), count=4, axis=-1)
    i, f, o = (graph.op("Sigmoid", gate) for gate in (i, f, o))
    remembered = graph.op("Mul", f, c)
    c = graph.op("Add", remembered, graph.op("Mul", i, graph.op("Tanh", candidate)))
    return graph.op("Mul", o, graph.op("Tanh", c)), c


CELL_STEPS = {"gru": _gru_step, "lstm": _lstm_step}
