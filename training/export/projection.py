"""Output projection of a step graph: from readouts to the likeliest tokens of the whole vocabulary
or of a shortlist."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.networks.tokens import TokenSeq2Seq
from model.types import Array
from training.export.calibration import Ranges
from training.export.graph import FLOAT, INT32, Graph, Value
from training.export.linear import array
from training.export.quantization import (
    ACTIVATION_SCALE,
    ARITHMETIC,
    TANH_LIMIT,
    ZERO_POINT,
    Operand,
    quantize_rows,
    to_weights,
)

#: Tokens of a block of the blockwise top-k, and the fewest rows for which it is used.
BLOCK, MANY_ROWS = 64, 8


#: The first dimensions of what each row has.
ROWS = ("slots", "width")


class TopTokens(NamedTuple):
    """The `top_k` likeliest tokens int32 and their logprobs float32, `(slots, width, top_k)`; and
    the logprobs of `wanted` tokens `(slots, width, 1, n)`, if any can be."""

    tokens: Value
    logprobs: Value
    wanted_logprobs: Value | None = None


#: From a readout `(slots, width, 1, readout_units)`.
Projection = Callable[[Operand], TopTokens]


def vocabulary_projection(
    graph: Graph, network: TokenSeq2Seq, precision: str, top_k: Value, wanted: Value
) -> Projection:
    """Builds the projection to all tokens; `wanted` as in `training.export.step.step_graph`."""
    padding = -network.config.target_vocab_size % BLOCK  # columns without a token
    table = array(network.projection.matrix()).T
    bias = np.pad(array(network.projection.bias), (0, padding), constant_values=-1e9)

    def project(readout: Operand) -> TopTokens:
        logits = ARITHMETIC[precision].multiply_by_rows(graph, readout, table, bias)
        logprobs = graph.op("LogSoftmax", logits, axis=-1)
        rows = graph.op("Reshape", logprobs, graph.constant([-1, len(bias)], "int64"))
        best_logprobs, best = _top_k(graph, rows, len(bias), top_k)
        sizes = graph.op("Shape", readout.value, start=0, end=2)
        shape = graph.op("Concat", sizes, graph.constant([-1], "int64"), axis=0)
        tokens = graph.op("Cast", best, to=INT32)
        return TopTokens(
            graph.op("Reshape", tokens, shape),
            graph.op("Reshape", best_logprobs, shape),
            graph.op("GatherElements", logprobs, wanted, axis=-1),
        )

    return project


def shortlist_projection(graph: Graph, network: TokenSeq2Seq, top_k: Value) -> Projection:
    """Builds the int8 projection to the candidates of each source, by the columns that are an
    input."""
    columns = graph.input("columns", "int8", "slots", network.decoder.readout_units, "candidates")

    def multiply(rows: Value, candidates: Value) -> Value:
        # Without a zero point, which the bias contains, a single row takes the runtime's fast path.
        return graph.op("MatMulInteger", rows, columns)

    return _candidates_projection(graph, top_k, multiply)


def gathered_projection(
    graph: Graph, columns_by_token: NDArray[np.int8], top_k: Value
) -> Projection:
    """Builds the int8 projection to the candidates of each source, by the whole vocabulary; the
    columns are those of `shortlist_columns`."""
    columns = graph.constant(columns_by_token.T, "int8")

    def multiply(rows: Value, candidates: Value) -> Value:
        product = graph.op("MatMulInteger", rows, columns)  # G W V
        width = graph.op("Shape", rows, start=1, end=2)
        ones = graph.constant([1], "int64")
        shape = graph.op("Concat", ones, width, ones, axis=0)
        by_slot = graph.op("Unsqueeze", candidates, graph.constant([1], "int64"))
        places = graph.op("Expand", by_slot, shape)
        return graph.op("GatherElements", product, places, axis=-1)

    return _candidates_projection(graph, top_k, multiply)


def _candidates_projection(
    graph: Graph, top_k: Value, multiply: Callable[[Value, Value], Value]
) -> Projection:
    """Builds a projection to the candidates of each source, which are inputs; `multiply` returns
    the whole numbers of rows `(slots, width, readout_units)`. The last candidate counts for the
    probabilities of the others, but is not among the likeliest tokens."""
    candidates = graph.input("candidates", "int32", "slots", "candidates")
    scales = graph.input("scales", "float32", "slots", 1, "candidates")
    bias = graph.input("bias", "float32", "slots", 1, "candidates")

    def project(readout: Operand) -> TopTokens:
        rows = graph.op("Squeeze", readout.value, graph.constant([2], "int64"))  # G W E
        product = graph.op("Cast", multiply(rows, candidates), to=FLOAT)
        logits = graph.op("Add", graph.op("Mul", product, scales), bias)
        normalised = graph.op("LogSoftmax", logits, axis=-1)
        bounds = [graph.constant([place], "int64") for place in (0, -1, -1)]  # start, end, axis
        logprobs = graph.op("Slice", normalised, *bounds)
        best_logprobs, places = graph.ops("TopK", logprobs, top_k, count=2, axis=-1)
        lifted = graph.op("Unsqueeze", places, graph.constant([3], "int64"))
        tokens = graph.op("GatherND", candidates, lifted, batch_dims=1)
        return TopTokens(tokens, best_logprobs)

    return project


def shortlist_columns(
    network: TokenSeq2Seq, ranges: Ranges, others: tuple[Array, float]
) -> dict[str, Array]:
    """Returns the int8 projection in the layout of the shortlist graph: columns int8 `(vocab_size +
    1, readout_units)`, scales and bias float32 `(vocab_size + 1,)`. The last column is that of
    `others`, weights `(readout_units,)` and a bias."""
    table = np.vstack([array(network.projection.matrix()).T, others[0]])
    scales, quantized = to_weights(*quantize_rows(table))
    scales = scales[:, 0] * readout_limit(network, ranges) * ACTIVATION_SCALE
    bias = np.append(array(network.projection.bias), others[1])
    bias = bias - ZERO_POINT * scales * quantized.sum(axis=1)
    return {
        "columns": np.ascontiguousarray(quantized, np.int8),
        "scales": scales.astype(np.float32),
        "bias": bias.astype(np.float32),
    }


def readout_limit(network: TokenSeq2Seq, ranges: Ranges) -> float:
    """Returns the greatest absolute number in readouts of `network`."""
    is_tanh = network.config.decoder == "recurrent"
    return TANH_LIMIT if is_tanh else ranges.of(network.projection)


def _top_k(graph: Graph, logprobs: Value, vocab_size: int, top_k: Value) -> list[Value]:
    """Returns the `top_k` greatest of `logprobs` `(rows, vocab_size)` and their indices. Of equals,
    the lower index comes first.

    The runtime's TopK compares one number at a time. For many rows it is faster to take the maximum
    of each block first, which is vectorised: the best tokens are in the best blocks.
    """

    def directly() -> list[Value]:
        return graph.ops("TopK", logprobs, top_k, count=2, axis=-1)

    def by_blocks() -> list[Value]:
        count = vocab_size // BLOCK
        blocks = graph.op("Reshape", logprobs, graph.constant([0, count, BLOCK], "int64"))
        greatest = graph.op("ReduceMax", blocks, axes=[2], keepdims=0)
        most = graph.op("Min", top_k, graph.constant([count], "int64"))
        _, chosen = graph.ops("TopK", greatest, most, count=2, axis=-1)
        in_order, _ = graph.ops("TopK", chosen, most, count=2, axis=-1, largest=0)
        row = graph.constant([0, -1], "int64")
        lifted = graph.op("Unsqueeze", in_order, graph.constant([2], "int64"))
        left = graph.op("GatherND", blocks, lifted, batch_dims=1)
        places = graph.constant(np.arange(vocab_size).reshape(count, BLOCK), "int64")
        left_places = graph.op("Reshape", graph.op("Gather", places, in_order, axis=0), row)
        values, found = graph.ops("TopK", graph.op("Reshape", left, row), top_k, count=2, axis=-1)
        return [values, graph.op("GatherElements", left_places, found, axis=1)]

    rows = graph.op("Shape", logprobs, start=0, end=1)
    is_few = graph.op("Less", rows, graph.constant([MANY_ROWS], "int64"))
    return graph.add_if(is_few, directly, by_blocks, ["float32", "int64"])
