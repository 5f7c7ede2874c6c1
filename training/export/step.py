"""The step graphs: one token further for every row.

Rows stand in a grid `(sources, rows of each, 1, ...)`: a beam reads one copy of its source, and
each row is multiplied by itself, so that no answer depends on how many stand beside it.
"""

from __future__ import annotations

from collections.abc import Callable

from model.networks.tokens import TokenSeq2Seq
from training.export.graph import RUNTIME_DOMAIN, Graph, Value
from training.export.linear import DecoderWeights, array, read
from training.export.lookahead import Step, one_or_more
from training.export.projection import Projection, candidates_only, whole_vocabulary
from training.export.quantization import PRODUCTS, Products

#: An embedding that is multiplied by the first layer's weights beforehand may take so much memory.
MOST_TABLE_BYTES = 64 * 2**20


def step_graph(network: TokenSeq2Seq, precision: str) -> bytes:
    """Over the whole vocabulary.

    Inputs: tokens int32 `(sources, rows, 1)`; keys, values and state_0, ... as the encoder graph
    gives them, but with `rows` of state for each source; padding float32 `(sources, 1, 1,
    source_len)`, 0 at real tokens and -1e9 at others; top_k int64 `(1,)`, at most the vocabulary;
    and those of `one_or_more`, which tells the outputs."""
    graph = Graph("step")
    top_k = graph.input("top_k", "int64", 1)
    projection = whole_vocabulary(graph, network, precision, top_k)
    return _finished(graph, network, precision, projection, top_k)


def shortlist_graph(network: TokenSeq2Seq) -> bytes:
    """The same in int8 among candidates. Further inputs: candidates int32 `(sources, candidates)`,
    the tokens; columns int8 `(sources, readout_units, candidates)`, scales and bias float32
    `(sources, 1, candidates)`, made of `shortlist_columns`."""
    graph = Graph("shortlist")
    top_k = graph.input("top_k", "int64", 1)
    projection = candidates_only(graph, network.decoder.readout_units, top_k)
    return _finished(graph, network, "int8", projection, top_k)


def _finished(
    graph: Graph, network: TokenSeq2Seq, precision: str, projection: Projection, top_k: Value
) -> bytes:
    products, decoder = PRODUCTS[precision], network.decoder
    weights = DecoderWeights.of(decoder)
    grid = ("sources", "rows", 1)
    by_head = ("sources", 1) if weights.heads == 1 else ("sources", 1, weights.heads)
    tokens = graph.input("tokens", "int32", *grid)
    keys = graph.input("keys", "float32", *by_head, "key_units", "source_len")
    values = graph.input("values", "float32", *by_head, "source_len", decoder.readout_units)
    padding = graph.input("padding", "float32", "sources", 1, 1, "source_len")
    widths = [w for own in weights.recurrent for w in (decoder.units, own.units)]
    if weights.feeding is not None:
        widths.append(weights.feeding.units)
    state = [graph.input(f"state_{i}", "float32", *grid, width) for i, width in enumerate(widths)]
    first_inputs = _first_inputs(graph, products, network, weights)

    def step(tokens: Value, state: list[Value]) -> Step:
        seen = first_inputs(tokens)
        if weights.feeding is not None:
            seen = graph.op("Add", seen, state[-1])
        next_state: list[Value] = []
        for layer in range(decoder.depth):
            kept, own = state[2 * layer : 2 * layer + 2]
            output, kept = CELL_STEPS[decoder.cell](graph, decoder.units, seen, own, kept)
            operand = products.bounded(graph, output)
            own, seen, *query = read(graph, products, operand, weights.readers(layer))
            next_state += [kept, own]
        context, attention_weights = _attend(
            graph, weights, query[0] if query else output, keys, values, padding
        )
        readout = products.bounded(graph, graph.op("Tanh", graph.op("Add", seen, context)))
        if weights.feeding is not None:
            next_state += read(graph, products, readout, [weights.feeding])
        return Step(*projection(readout), attention_weights, next_state)

    one_or_more(graph, step, tokens, dict(zip(state, widths, strict=True)), top_k)
    # A product of one row by weights in float32 rounds otherwise than one of several.
    fewest = 2 if graph.has_float_products else 1
    return graph.to_bytes(fewest_rows=fewest, vocab_size=network.config.target_vocab_size)


def _first_inputs(
    graph: Graph, products: Products, network: TokenSeq2Seq, weights: DecoderWeights
) -> Callable[[Value], Value]:
    """What the first layer reads of tokens. Its product with the whole embedding is a constant,
    which the runtime computes once, as it opens the graph."""
    embeddings, reader = array(network.target_embedding.embeddings), weights.inputs[0]
    table = products.table(graph, embeddings)
    kernel, bias = products.weight(graph, reader.kernel), graph.constant(reader.bias)
    if len(embeddings) * reader.units * 4 <= MOST_TABLE_BYTES:
        whole = graph.op("Add", graph.op("MatMul", table, kernel), bias)
        return lambda tokens: graph.op("Gather", whole, tokens, axis=0)

    def multiplied(tokens: Value) -> Value:
        graph.has_float_products = True
        embedded = graph.op("Gather", table, tokens, axis=0)
        return graph.op("Add", graph.op("MatMul", embedded, kernel), bias)

    return multiplied


def _gru_step(graph: Graph, units: int, seen: Value, own: Value, h: Value) -> tuple[Value, Value]:
    """Output, and what is kept: the same. `seen` and `own` are the products with input and h."""
    sizes = graph.constant([2 * units, units], "int64")
    gates_seen, candidate_seen = graph.ops("Split", seen, sizes, count=2, axis=-1)
    gates_own, candidate_own = graph.ops("Split", own, sizes, count=2, axis=-1)
    gates = graph.op("Sigmoid", graph.op("Add", gates_seen, gates_own))
    z, r = graph.ops("Split", gates, count=2, axis=-1)
    candidate = graph.op("Tanh", graph.op("Add", candidate_seen, graph.op("Mul", r, candidate_own)))
    # z h + (1 - z) candidate
    change = graph.op("Mul", z, graph.op("Sub", h, candidate))
    output = graph.op("Add", candidate, change)
    return output, output


def _lstm_step(graph: Graph, units: int, seen: Value, own: Value, c: Value) -> tuple[Value, Value]:
    """Output, and what is kept: c."""
    i, f, candidate, o = graph.ops("Split", graph.op("Add", seen, own), count=4, axis=-1)
    i, f, o = (graph.op("Sigmoid", gate) for gate in (i, f, o))
    kept = graph.op("Mul", f, c)
    c = graph.op("Add", kept, graph.op("Mul", i, graph.op("Tanh", candidate)))
    return graph.op("Mul", o, graph.op("Tanh", c)), c


CELL_STEPS = {"gru": _gru_step, "lstm": _lstm_step}


def _attend(
    graph: Graph, weights: DecoderWeights, query: Value, keys: Value, values: Value, padding: Value
) -> tuple[Value, Value]:
    """What the readout takes of the context vector, and the attention weights."""
    batch_axes = 2 if weights.heads == 1 else 3
    if weights.energy_vector is not None:
        meeting = graph.op("Tanh", graph.op("Add", _on_end(graph, query), keys))
        energies = graph.op("MatMul", graph.constant(weights.energy_vector), meeting)
    elif weights.heads == 1:
        energies = _each_row_by(graph, query, keys, batch_axes)
    else:
        shape = graph.constant([0, 0, weights.heads, 1, -1], "int64")
        query = graph.op("Reshape", query, shape)  # G W H 1 U
        energies = _each_row_by(graph, query, keys, batch_axes)
        padding = graph.op("Unsqueeze", padding, graph.constant([2], "int64"))
    attention_weights = graph.op("Softmax", graph.op("Add", energies, padding), axis=-1)
    context = _each_row_by(graph, attention_weights, values, batch_axes)
    if weights.heads > 1:
        axes = graph.constant([2], "int64")
        context = graph.op("ReduceSum", context, axes, keepdims=0)
        attention_weights = graph.op("ReduceMean", attention_weights, axes=[2], keepdims=0)
    return context, attention_weights


def _each_row_by(graph: Graph, rows: Value, memory: Value, batch_axes: int) -> Value:
    """`rows (G, W, ..., 1, K) @ memory (G, 1, ..., K, N)`. Of a single source the runtime would
    make one product of W rows, which rounds otherwise than W products of one. Rows on end keep it
    from that."""
    on_end = _on_end(graph, rows, batch_axes)
    return graph.op("FusedMatMul", on_end, memory, domain=RUNTIME_DOMAIN, transA=1)


def _on_end(graph: Graph, rows: Value, batch_axes: int = 2) -> Value:
    """`(..., 1, K) -> (..., K, 1)`."""
    shape = graph.constant([0] * batch_axes + [-1, 1], "int64")
    return graph.op("Reshape", rows, shape)
