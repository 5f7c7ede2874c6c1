"""A token model as two ONNX graphs: one reads sources, one takes a step of the decoder.

They compute what `TokenSeq2Seq.encode` and `.step` compute, with the same weights.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from model.layers.attention import Attention
from model.networks.tokens import TokenSeq2Seq
from training.export.graph import Array, Graph, Value
from training.export.products import PRODUCTS, Operand, Products, dequantised

#: Keras' order of gates -> ONNX' order.
GATES = {"gru": (0, 1, 2), "lstm": (0, 3, 1, 2)}


#: Neighbouring tokens whose greatest log-probability is looked at first, and from how many rows on.
BLOCK, MANY_ROWS = 64, 8


def encoder_graph(network: TokenSeq2Seq, precision: str) -> bytes:
    """Inputs: source_ids int32 `(batch, source_len)`, source_lengths int32 `(batch,)`. Outputs:
    keys, values `(batch, source_len, ...)`, state_0, ... `(batch, ...)`. Recurrent layers are the
    runtime's own, in float32; `int8` stores the embedding in 8 bits."""
    graph = Graph("encoder")
    ids = graph.input("source_ids", "int32", "batch", "source_len")
    lengths = graph.input("source_lengths", "int32", "batch")
    table = _array(network.source_embedding.embeddings)
    embedded = dequantised(graph, PRODUCTS[precision].embed(graph, table, ids))
    sequence = graph.op("Transpose", embedded.value, perm=[1, 0, 2])  # S B E
    finals: list[Value] = []
    encoder = network.encoder
    for i, forward in enumerate(encoder.forward_stack):
        backward = encoder.backward_stack[i : i + 1]
        sequence, finals = _recurrent(graph, encoder.cell, [forward, *backward], sequence, lengths)
    values = graph.op("Transpose", sequence, perm=[1, 0, 2])  # B S W
    by_place = ("batch", "source_len")
    graph.output(
        _keys(graph, network.decoder.attend, values), "keys", "float32", *by_place, "key_units"
    )
    graph.output(values, "values", "float32", *by_place, encoder.width)
    for i, bridge in enumerate(network.decoder.bridges):
        final = finals[i % len(finals)]
        state = graph.op("Tanh", _dense(graph, bridge, Operand(final, encoder.width)))
        graph.output(state, f"state_{i}", "float32", "batch", bridge.units)
    if network.decoder.input_feeding:
        units = network.decoder.readout_units
        rows = graph.op("Shape", lengths)
        shape = graph.op("Concat", rows, graph.constant([units], "int64"), axis=0)
        zeros = graph.op("Expand", graph.constant([[0.0]]), shape)
        count = len(network.decoder.bridges)
        graph.output(zeros, f"state_{count}", "float32", "batch", units)
    return graph.to_bytes()


def step_graph(network: TokenSeq2Seq, precision: str) -> bytes:
    """Inputs: tokens, parents int32 `(rows,)`, top_k int64 `(1,)`, keys, values, mask
    `(rows, source_len, ...)`, state_0, ... `(previous_rows, ...)`. Outputs: best int32 and
    logprobs `(rows, top_k)`, attention_weights `(rows, source_len)`, next_state_0, ..."""
    graph, products = Graph("step"), PRODUCTS[precision]
    decoder = network.decoder
    tokens = graph.input("tokens", "int32", "rows")
    parents = graph.input("parents", "int32", "rows")
    top_k = graph.input("top_k", "int64", 1)
    keys = graph.input("keys", "float32", "rows", "source_len", "key_units")
    values = graph.input("values", "float32", "rows", "source_len", network.encoder.width)
    mask = graph.input("mask", "bool", "rows", "source_len")
    widths = [bridge.units for bridge in decoder.bridges]
    widths += [decoder.readout_units] * decoder.input_feeding
    state = [
        graph.op(
            "Gather", graph.input(f"state_{i}", "float32", "previous_rows", width), parents, axis=0
        )
        for i, width in enumerate(widths)
    ]

    table = _array(network.target_embedding.embeddings)
    inputs = [products.embed(graph, table, tokens)]
    if decoder.input_feeding:
        inputs.append(products.bounded(graph, state.pop(), decoder.readout_units))
    next_state: list[Value] = []
    size = len(decoder.state_names)
    for i, layer in enumerate(decoder.stack):
        own = state[i * size : (i + 1) * size]
        next_state += CELL_STEPS[decoder.cell](graph, products, layer, inputs, own)
        output = next_state[i * size]
        inputs = [products.bounded(graph, output, decoder.units)]

    context, attention_weights = _attend(
        graph, products, decoder.attend, output, inputs[0], keys, values, mask
    )
    seen = [
        # A mean of encoder outputs lies in [-1, 1]; what heads project it to need not.
        Operand(context, decoder.attend.units)
        if decoder.attention == "multihead"
        else products.bounded(graph, context, network.encoder.width),
        inputs[0],
    ]
    kernel, bias = map(_array, (decoder.readout.kernel, decoder.readout.bias))
    readout = graph.op("Tanh", products.multiply(graph, seen, kernel, bias))
    if decoder.input_feeding:
        next_state.append(readout)

    projection = network.projection
    read = products.bounded(graph, readout, decoder.readout_units)
    vocab_size = network.config.target_vocab_size
    beyond = -vocab_size % BLOCK  # columns that no token has, and that nothing chooses
    matrix = np.pad(_array(projection.matrix()), ((0, 0), (0, beyond)))
    bias = np.pad(_array(projection.bias), (0, beyond), constant_values=-1e9)
    logits = products.multiply(graph, [read], matrix, bias)
    logprobs = graph.op("LogSoftmax", logits, axis=-1)
    top_k = graph.op("Min", top_k, graph.constant([vocab_size], "int64"))
    best_logprobs, best = _best(graph, logprobs, len(bias), top_k, tokens)
    graph.output(graph.op("Cast", best, to=6), "best", "int32", "rows", "k")
    graph.output(best_logprobs, "logprobs", "float32", "rows", "k")
    graph.output(attention_weights, "attention_weights", "float32", "rows", "source_len")
    for i, (value, width) in enumerate(zip(next_state, widths, strict=True)):
        graph.output(value, f"next_state_{i}", "float32", "rows", width)
    return graph.to_bytes()


def _best(
    graph: Graph, logprobs: Value, vocab_size: int, top_k: Value, tokens: Value
) -> list[Value]:
    """The `top_k` greatest of `logprobs` `(rows, vocab_size)` and their places. Of equals the first
    comes first.

    The runtime's TopK looks at one number after the other. For many rows it is faster to take the
    greatest of each block first, which is done by vectors: the best are in the best blocks.
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
        left = graph.op("GatherND", blocks, _unsqueezed(graph, in_order, 2), batch_dims=1)
        places = graph.constant(np.arange(vocab_size).reshape(count, BLOCK), "int64")
        left_places = graph.op("Reshape", graph.op("Gather", places, in_order, axis=0), row)
        values, found = graph.ops("TopK", graph.op("Reshape", left, row), top_k, count=2, axis=-1)
        return [values, graph.op("GatherElements", left_places, found, axis=1)]

    rows = graph.op("Shape", tokens)
    is_few = graph.op("Less", rows, graph.constant([MANY_ROWS], "int64"))
    return graph.either(is_few, directly, by_blocks, ["float32", "int64"])


def _recurrent(
    graph: Graph, cell: str, layers: list[keras.layers.RNN], sequence: Value, lengths: Value
) -> tuple[Value, list[Value]]:
    """A layer over `(source_len, batch, features)`, one direction or both: its outputs
    `(source_len, batch, width)` and final states `(batch, width)`."""
    parts = [_onnx_weights(cell, layer) for layer in layers]
    weights = [graph.constant(np.stack(each)) for each in zip(*parts, strict=True)]
    options: dict[str, Any] = {"linear_before_reset": 1} if cell == "gru" else {}
    outputs, *finals = graph.ops(
        cell.upper(),
        sequence,
        *weights,
        lengths,
        count=2 if cell == "gru" else 3,
        direction="bidirectional" if len(layers) == 2 else "forward",
        hidden_size=layers[0].units,
        **options,
    )
    by_row = graph.op("Transpose", outputs, perm=[0, 2, 1, 3])  # S D B H -> S B D H
    joined = graph.op("Reshape", by_row, graph.constant([0, 0, -1], "int64"))
    states = [
        graph.op(
            "Reshape",
            graph.op("Transpose", final, perm=[1, 0, 2]),
            graph.constant([0, -1], "int64"),
        )
        for final in finals
    ]
    return joined, states


def _onnx_weights(cell: str, layer: keras.layers.RNN) -> tuple[Array, Array, Array]:
    """W `(gates * units, features)`, R `(gates * units, units)` and both biases in one row."""
    kernel, recurrent, bias = (_array(weight) for weight in layer.cell.trainable_weights)
    biases = bias if cell == "gru" else np.stack([bias, np.zeros_like(bias)])

    def ordered(array: Array) -> Array:
        gates = np.split(array, len(GATES[cell]), axis=-1)
        return np.concatenate([gates[i] for i in GATES[cell]], axis=-1)

    return ordered(kernel).T, ordered(recurrent).T, ordered(biases).reshape(-1)


def _gru_step(
    graph: Graph,
    products: Products,
    layer: keras.layers.RNN,
    inputs: list[Operand],
    state: list[Value],
) -> list[Value]:
    kernel, recurrent, (bias, own_bias) = (_array(each) for each in layer.cell.trainable_weights)
    (h,) = state
    seen = products.multiply(graph, inputs, kernel, bias)
    own = products.multiply(graph, [products.bounded(graph, h, layer.units)], recurrent, own_bias)
    sizes = graph.constant([2 * layer.units, layer.units], "int64")
    gates_seen, candidate_seen = graph.ops("Split", seen, sizes, count=2, axis=-1)
    gates_own, candidate_own = graph.ops("Split", own, sizes, count=2, axis=-1)
    gates = graph.op("Sigmoid", graph.op("Add", gates_seen, gates_own))
    z, r = graph.ops("Split", gates, count=2, axis=-1)
    candidate = graph.op("Tanh", graph.op("Add", candidate_seen, graph.op("Mul", r, candidate_own)))
    # z h + (1 - z) candidate
    change = graph.op("Mul", z, graph.op("Sub", h, candidate))
    return [graph.op("Add", candidate, change)]


def _lstm_step(
    graph: Graph,
    products: Products,
    layer: keras.layers.RNN,
    inputs: list[Operand],
    state: list[Value],
) -> list[Value]:
    kernel, recurrent, bias = (_array(each) for each in layer.cell.trainable_weights)
    h, c = state
    seen = products.multiply(graph, inputs, kernel, bias)
    own = products.multiply(
        graph, [products.bounded(graph, h, layer.units)], recurrent, np.zeros_like(bias)
    )
    i, f, candidate, o = graph.ops("Split", graph.op("Add", seen, own), count=4, axis=-1)
    i, f, o = (graph.op("Sigmoid", gate) for gate in (i, f, o))
    kept = graph.op("Mul", f, c)
    c = graph.op("Add", kept, graph.op("Mul", i, graph.op("Tanh", candidate)))
    return [graph.op("Mul", o, graph.op("Tanh", c)), c]


CELL_STEPS = {"gru": _gru_step, "lstm": _lstm_step}


def _keys(graph: Graph, attend: Attention, values: Value) -> Value:
    layers = [
        layer
        for name in ("key_projection", "value_projection")
        if (layer := getattr(attend, name, None)) is not None
    ]
    if not layers:
        return values
    return graph.op(
        "Concat",
        *[_dense(graph, layer, Operand(values, layer.kernel.shape[0])) for layer in layers],
        axis=-1,
    )


def _attend(
    graph: Graph,
    products: Products,
    attend: Attention,
    query: Value,
    operand: Operand,
    keys: Value,
    values: Value,
    mask: Value,
) -> tuple[Value, Value]:
    """Context vector and attention weights of one query in each row, given as float32 and as an
    operand."""
    kind = type(attend).__name__
    if kind == "MultiHeadAttention":
        return _attend_with_heads(graph, products, attend, operand, keys, mask)
    if kind == "AdditiveAttention":
        seen = _dense(graph, attend.query_projection, operand, products)
        meeting = graph.op("Tanh", graph.op("Add", _unsqueezed(graph, seen, 1), keys))
        vector = _array(attend.energy_vector)[:, None]
        energies = graph.op("MatMul", meeting, graph.constant(vector))  # R S 1
    else:
        energies = graph.op("MatMul", keys, _unsqueezed(graph, query, 2))  # R S 1
    weights = _masked_softmax(graph, _squeezed(graph, energies, 2), mask)
    context = graph.op("MatMul", _unsqueezed(graph, weights, 1), values)  # R 1 W
    return _squeezed(graph, context, 1), weights


def _attend_with_heads(
    graph: Graph, products: Products, attend: Attention, operand: Operand, keys: Value, mask: Value
) -> tuple[Value, Value]:
    size = attend.units // attend.heads
    by_head = graph.constant([0, -1, attend.heads, size], "int64")
    keys, values = graph.ops("Split", keys, count=2, axis=-1)
    seen = _unsqueezed(graph, _dense(graph, attend.query_projection, operand, products), 1)
    query, values = (
        graph.op("Transpose", graph.op("Reshape", each, by_head), perm=[0, 2, 1, 3])
        for each in (seen, values)
    )
    keys = graph.op("Transpose", graph.op("Reshape", keys, by_head), perm=[0, 2, 3, 1])
    energies = graph.op("Mul", graph.op("MatMul", query, keys), graph.constant(size**-0.5))
    places = _unsqueezed(graph, _unsqueezed(graph, mask, 1), 1)
    weights = _masked_softmax(graph, energies, places)  # R H 1 S
    heads = graph.op("Transpose", graph.op("MatMul", weights, values), perm=[0, 2, 1, 3])
    joined = graph.op("Reshape", heads, graph.constant([0, -1], "int64"))
    mean = graph.op("ReduceMean", weights, axes=[1, 2], keepdims=0)
    return _dense(graph, attend.output_projection, Operand(joined, attend.units)), mean


def _masked_softmax(graph: Graph, energies: Value, mask: Value) -> Value:
    return graph.op("Softmax", graph.op("Where", mask, energies, graph.constant(-1e9)), axis=-1)


def _dense(
    graph: Graph,
    layer: keras.layers.Dense,
    operand: Operand,
    products: Products = PRODUCTS["float32"],
) -> Value:
    """A Dense layer without its activation."""
    kernel = _array(layer.kernel)
    bias = np.zeros(layer.units) if layer.bias is None else _array(layer.bias)
    return products.multiply(graph, [operand], kernel, bias)


def _squeezed(graph: Graph, value: Value, axis: int) -> Value:
    return graph.op("Squeeze", value, graph.constant([axis], "int64"))


def _unsqueezed(graph: Graph, value: Value, axis: int) -> Value:
    return graph.op("Unsqueeze", value, graph.constant([axis], "int64"))


def _array(weight: object) -> Array:
    return np.asarray(ops.convert_to_numpy(weight))
