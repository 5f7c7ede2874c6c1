"""Attention of a step graph to the sources of its rows."""

from __future__ import annotations

from typing import NamedTuple

from model.types import Array
from training.export.graph import RUNTIME_DOMAIN, Graph, Value


class Source(NamedTuple):
    """A source of each slot, as a step graph reads it.

    Attributes:
        keys: `(slots, 1, [heads,] units, source_len)`.
        values: `(slots, 1, [heads,] source_len, units)`.
        padding: `(slots, 1, 1, source_len)`, 0 at real tokens and -1e9 at others.
    """

    keys: Value
    values: Value
    padding: Value


def attend_by_head(graph: Graph, query: Value, source: Source, heads: int) -> tuple[Value, Value]:
    """Returns the sum of all heads' context vectors `(slots, width, 1, units)`, and the mean of
    their attention weights `(slots, width, 1, source_len)`. `query` is `(slots, width, 1, heads *
    key_units)`."""
    shape = graph.constant([0, 0, heads, 1, -1], "int64")
    by_head = graph.op("Reshape", query, shape)  # G W H 1 U
    energies = _matmul_by_row(graph, by_head, source.keys, batch_axes=3)
    axis = graph.constant([2], "int64")
    padding = graph.op("Unsqueeze", source.padding, axis)
    attention_weights = graph.op("Softmax", graph.op("Add", energies, padding), axis=-1)
    contexts = _matmul_by_row(graph, attention_weights, source.values, batch_axes=3)
    context = graph.op("ReduceSum", contexts, axis, keepdims=0)
    return context, graph.op("ReduceMean", attention_weights, axes=[2], keepdims=0)


def attend(
    graph: Graph, query: Value, source: Source, energy_vector: Array | None
) -> tuple[Value, Value]:
    """Returns what `attend_by_head` does, of a single head; `energy_vector` of an additive score
    is `(1, units)`, None of others."""
    if energy_vector is not None:
        hidden = graph.op("Tanh", graph.op("Add", _to_column(graph, query, 2), source.keys))
        energies = graph.op("MatMul", graph.constant(energy_vector), hidden)
    else:
        energies = _matmul_by_row(graph, query, source.keys, batch_axes=2)
    attention_weights = graph.op("Softmax", graph.op("Add", energies, source.padding), axis=-1)
    context = _matmul_by_row(graph, attention_weights, source.values, batch_axes=2)
    return context, attention_weights


def _matmul_by_row(graph: Graph, rows: Value, memory: Value, batch_axes: int) -> Value:
    """Returns `rows (G, W, ..., 1, K) @ memory (G, 1, ..., K, N)`. For a single source the runtime
    would compute one product of W rows, which is rounded differently from W products of one row.
    Rows that are transposed to columns prevent that."""
    columns = _to_column(graph, rows, batch_axes)
    return graph.op("FusedMatMul", columns, memory, domain=RUNTIME_DOMAIN, transA=1)


def _to_column(graph: Graph, rows: Value, batch_axes: int) -> Value:
    """Reshapes `(..., 1, K)` to `(..., K, 1)`."""
    shape = graph.constant([0] * batch_axes + [-1, 1], "int64")
    return graph.op("Reshape", rows, shape)
