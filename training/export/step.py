"""Step graphs: one more token for every row.

Rows are `(slots, width, 1, ...)`: the hypotheses of a slot share one copy of its source, and each
row is multiplied alone, so that no answer depends on the number of rows in the batch.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.networks.tokens import TokenSeq2Seq
from training.export.graph import RUNTIME_DOMAIN, Graph, Value
from training.export.linear import DecoderWeights, array, fused_linear
from training.export.projection import (
    ROWS,
    Projection,
    TopTokens,
    gathered_projection,
    shortlist_projection,
    vocabulary_projection,
)
from training.export.quantization import ARITHMETIC, Arithmetic

#: Memory limit of the product of the embedding with the first layer's weights.
MOST_TABLE_BYTES = 64 * 2**20


def step_graph(network: TokenSeq2Seq, precision: str) -> bytes:
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
    return _build(graph, network, precision, projection, network.config.target_vocab_size)


def shortlist_graph(network: TokenSeq2Seq, size: int) -> bytes:
    """Builds the int8 graph over `size` candidates of each source, for a few rows.

    Inputs as of `step_graph`, but for `wanted`, and: candidates int32 `(slots, candidates)`, the
    tokens; columns int8 `(slots, readout_units, candidates)`, scales and bias float32 `(slots, 1,
    candidates)`, taken from `shortlist_columns`. Outputs as of `step_graph`, but for
    wanted_logprobs."""
    graph = Graph("shortlist")
    top_k = graph.input("top_k", "int64", 1)
    return _build(graph, network, "int8", shortlist_projection(graph, network, top_k), size)


def gathered_graph(network: TokenSeq2Seq, size: int) -> bytes:
    """Builds what `shortlist_graph` does, for many rows: without the input `columns`, and with the
    same numbers."""
    graph = Graph("gathered")
    top_k = graph.input("top_k", "int64", 1)
    return _build(graph, network, "int8", gathered_projection(graph, network, top_k), size)


def _build(
    graph: Graph, network: TokenSeq2Seq, precision: str, projection: Projection, most_tokens: int
) -> bytes:
    arithmetic, decoder = ARITHMETIC[precision], network.decoder
    weights = DecoderWeights.of(decoder)
    by_head = ("slots", 1) if weights.heads == 1 else ("slots", 1, weights.heads)
    tokens = graph.input("tokens", "int32", *ROWS, 1)
    keys = graph.input("keys", "float32", *by_head, "key_units", "source_len")
    values = graph.input("values", "float32", *by_head, "source_len", decoder.readout_units)
    padding = graph.input("padding", "float32", "slots", 1, 1, "source_len")
    widths = [w for own in weights.recurrent for w in (decoder.units, own.units)]
    if weights.feeding is not None:
        widths.append(weights.feeding.units)
    state = [
        graph.input(f"state_{i}", "float32", *ROWS, 1, width) for i, width in enumerate(widths)
    ]
    layer_input = _first_input(graph, arithmetic, network, weights, tokens)
    if weights.feeding is not None:
        layer_input = graph.op("Add", layer_input, state[-1])
    next_state: list[Value] = []
    for layer in range(decoder.depth):
        cell_state, from_h = state[2 * layer : 2 * layer + 2]
        output, cell_state = CELL_STEPS[decoder.cell](
            graph, decoder.units, layer_input, from_h, cell_state
        )
        operand = arithmetic.quantize(graph, output)
        from_h, layer_input, *query = fused_linear(
            graph, arithmetic, operand, weights.consumers(layer)
        )
        next_state += [cell_state, from_h]
    context, attention_weights = _attend(
        graph, weights, query[0] if query else output, keys, values, padding
    )
    readout = arithmetic.quantize(graph, graph.op("Tanh", graph.op("Add", layer_input, context)))
    if weights.feeding is not None:
        next_state += fused_linear(graph, arithmetic, readout, [weights.feeding])
    state_units = dict(zip(next_state, widths, strict=True))
    _add_outputs(graph, projection(readout), attention_weights, state_units)
    # In float32, the product of one row with weights is rounded differently from that of several.
    fewest_rows = 2 if graph.has_float_products else 1
    return graph.to_bytes(fewest_rows=fewest_rows, most_tokens=most_tokens)


def _add_outputs(
    graph: Graph, found: TopTokens, attention_weights: Value, state: Mapping[Value, int]
) -> None:
    """Declares the outputs of a step; `state` with the units of each."""
    graph.output(found.tokens, "best", "int32", *ROWS, "k")
    graph.output(found.logprobs, "logprobs", "float32", *ROWS, "k")
    graph.output(attention_weights, "attention_weights", "float32", *ROWS, 1, "source_len")
    for i, (value, units) in enumerate(state.items()):
        graph.output(value, f"next_state_{i}", "float32", *ROWS, 1, units)
    if found.wanted_logprobs is not None:
        graph.output(found.wanted_logprobs, "wanted_logprobs", "float32", *ROWS, 1, "n")


def _first_input(
    graph: Graph,
    arithmetic: Arithmetic,
    network: TokenSeq2Seq,
    weights: DecoderWeights,
    tokens: Value,
) -> Value:
    """Builds the product of the tokens' embeddings with the first layer's input weights. The
    product with the whole embedding, if small enough, is a constant that the runtime computes once,
    when it loads the graph."""
    embeddings, layer = array(network.target_embedding.embeddings), weights.inputs[0]
    table = arithmetic.table(graph, embeddings)
    kernel, bias = arithmetic.weight(graph, layer.kernel), graph.constant(layer.bias)
    if len(embeddings) * layer.units * 4 <= MOST_TABLE_BYTES:
        whole = graph.op("Add", graph.op("MatMul", table, kernel), bias)
        return graph.op("Gather", whole, tokens, axis=0)
    graph.has_float_products = True
    embedded = graph.op("Gather", table, tokens, axis=0)
    return graph.op("Add", graph.op("MatMul", embedded, kernel), bias)


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


def _attend(
    graph: Graph, weights: DecoderWeights, query: Value, keys: Value, values: Value, padding: Value
) -> tuple[Value, Value]:
    """Returns the readout's part for the context vector, and the attention weights."""
    batch_axes = 2 if weights.heads == 1 else 3
    if weights.energy_vector is not None:
        hidden = graph.op("Tanh", graph.op("Add", _to_column(graph, query), keys))
        energies = graph.op("MatMul", graph.constant(weights.energy_vector), hidden)
    elif weights.heads == 1:
        energies = _matmul_by_row(graph, query, keys, batch_axes)
    else:
        shape = graph.constant([0, 0, weights.heads, 1, -1], "int64")
        query = graph.op("Reshape", query, shape)  # G W H 1 U
        energies = _matmul_by_row(graph, query, keys, batch_axes)
        padding = graph.op("Unsqueeze", padding, graph.constant([2], "int64"))
    attention_weights = graph.op("Softmax", graph.op("Add", energies, padding), axis=-1)
    context = _matmul_by_row(graph, attention_weights, values, batch_axes)
    if weights.heads > 1:
        axes = graph.constant([2], "int64")
        context = graph.op("ReduceSum", context, axes, keepdims=0)
        attention_weights = graph.op("ReduceMean", attention_weights, axes=[2], keepdims=0)
    return context, attention_weights


def _matmul_by_row(graph: Graph, rows: Value, memory: Value, batch_axes: int) -> Value:
    """Returns `rows (G, W, ..., 1, K) @ memory (G, 1, ..., K, N)`. For a single source the runtime
    would compute one product of W rows, which is rounded differently from W products of one row.
    Rows that are transposed to columns prevent that."""
    columns = _to_column(graph, rows, batch_axes)
    return graph.op("FusedMatMul", columns, memory, domain=RUNTIME_DOMAIN, transA=1)


def _to_column(graph: Graph, rows: Value, batch_axes: int = 2) -> Value:
    """Reshapes `(..., 1, K)` to `(..., K, 1)`."""
    shape = graph.constant([0] * batch_axes + [-1, 1], "int64")
    return graph.op("Reshape", rows, shape)
