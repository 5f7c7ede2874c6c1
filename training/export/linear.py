"""Linear layers of a decoder, regrouped and fused for the encoder graph and the step graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from model.layers.attention import Attention, MultiHeadAttention
from model.layers.decoders import AttentionDecoder
from model.types import Array
from training.export.graph import Graph, Value
from training.export.quantization import Arithmetic, Operand


@dataclass(frozen=True)
class Linear:
    """A linear layer, `x @ kernel + bias`: kernel `(features, units)`, bias `(units,)`."""

    kernel: Array
    bias: Array

    @property
    def units(self) -> int:
        """Returns the number of outputs."""
        return self.kernel.shape[1]


def concatenate_linears(layers: Sequence[Linear]) -> Linear:
    """Returns one layer with the outputs of all layers, concatenated."""
    kernel = np.concatenate([each.kernel for each in layers], axis=1)
    return Linear(kernel, np.concatenate([each.bias for each in layers]))


def fused_linear(
    graph: Graph, arithmetic: Arithmetic, operand: Operand, layers: list[Linear]
) -> list[Value]:
    """Applies layers that share an input as one product, and returns the output of each."""
    whole = concatenate_linears(layers)
    product = arithmetic.multiply(graph, operand, whole.kernel, whole.bias)
    if len(layers) == 1:
        return [product]
    sizes = graph.constant([each.units for each in layers], "int64")
    return graph.ops("Split", product, sizes, count=len(layers), axis=-1)


@dataclass(frozen=True)
class DecoderWeights:
    """A decoder's weights, regrouped by the value that they multiply.

    The output h of a layer is multiplied by the layer's own recurrent weights (`recurrent`), by the
    input weights of the layer above (`inputs`), and at the top by readout and query. The readout's
    part for the context vector is multiplied into the source's values once for all steps:
    W_c sum_j a_j v_j = sum_j a_j (W_c v_j).

    Attributes:
        inputs: of each layer, from the embedding or the layer below.
        feeding: of the first layer, from the last readout; None without input feeding.
        recurrent: of each layer, from its own last output.
        readout: from the top layer.
        query: from the top layer; None if the output itself is the query.
        keys: from encoder outputs; None if they are the keys themselves.
        values: from encoder outputs, `heads` times `readout_units` columns.
        energy_vector: `(1, units)`, for additive scores; None for others.
        heads: attention heads.
    """

    inputs: list[Linear]
    feeding: Linear | None
    recurrent: list[Linear]
    readout: Linear
    query: Linear | None
    keys: Linear | None
    values: Linear
    energy_vector: Array | None
    heads: int

    @classmethod
    def of(cls, decoder: AttentionDecoder) -> DecoderWeights:
        """Reads the weights of `decoder`."""
        inputs, recurrent = zip(*map(_cell_linears, decoder.stack), strict=True)
        feeding = None
        if decoder.input_feeding:
            kernel, fed = np.split(inputs[0].kernel, [-decoder.readout_units])
            inputs = (Linear(kernel, inputs[0].bias), *inputs[1:])
            feeding = Linear(fed, np.zeros(fed.shape[1]))
        attend, bias = decoder.attend, array(decoder.readout.bias)
        from_context, from_top = np.split(array(decoder.readout.kernel), [-decoder.units])
        keys = _dense_if_any(attend, "key_projection")
        values, heads = Linear(from_context, np.zeros(len(bias))), 1
        if isinstance(attend, MultiHeadAttention):
            heads = attend.heads
            scaled, output = dense(attend.key_projection), dense(attend.output_projection)
            scale = (attend.units // heads) ** -0.5
            keys = Linear(scaled.kernel * scale, scaled.bias * scale)
            bias = bias + output.bias @ from_context
            projected = dense(attend.value_projection)
            values = by_head(projected, output.kernel @ from_context, heads)
        vector = getattr(attend, "energy_vector", None)
        return cls(
            inputs=list(inputs),
            feeding=feeding,
            recurrent=list(recurrent),
            readout=Linear(from_top, bias),
            query=_dense_if_any(attend, "query_projection"),
            keys=keys,
            values=values,
            energy_vector=None if vector is None else array(vector)[None],
            heads=heads,
        )

    def consumers(self, layer: int) -> list[Linear]:
        """Returns the layers that consume the output of `layer`: its recurrent weights, then the
        layer above or readout and query."""
        above = self.inputs[layer + 1 : layer + 2]
        top = [each for each in (self.readout, self.query) if each is not None]
        return [self.recurrent[layer], *(above or top)]


def _cell_linears(layer: keras.layers.RNN) -> tuple[Linear, Linear]:
    kernel, recurrent, bias = (array(each) for each in layer.cell.trainable_weights)
    own = np.zeros_like(bias)
    if bias.ndim == 2:  # a GRU has one for each kernel
        bias, own = bias
    return Linear(kernel, bias), Linear(recurrent, own)


def by_head(projected: Linear, kernel: Array, heads: int) -> Linear:
    """Multiplies the values of each head by that head's rows of `kernel`."""
    parts = zip(
        np.split(projected.kernel, heads, axis=1),
        np.split(projected.bias, heads),
        np.split(kernel, heads),
        strict=True,
    )
    products = [(values @ rows, bias @ rows) for values, bias, rows in parts]
    kernels, biases = zip(*products, strict=True)
    return Linear(np.concatenate(kernels, axis=1), np.concatenate(biases))


def dense(layer: keras.layers.Dense) -> Linear:
    """Reads the weights of `layer`."""
    kernel = array(layer.kernel)
    return Linear(kernel, np.zeros(kernel.shape[1]) if layer.bias is None else array(layer.bias))


def _dense_if_any(attend: Attention, name: str) -> Linear | None:
    layer = getattr(attend, name, None)
    return None if layer is None else dense(layer)


def array(weight: object) -> Array:
    """Returns a weight as a NumPy array."""
    return np.asarray(ops.convert_to_numpy(weight))


def layer_norm(graph: Graph, layer: keras.layers.LayerNormalization, sequence: Value) -> Value:
    """Adds a layer normalisation of `(..., units)`."""
    weights = graph.constant(array(layer.gamma)), graph.constant(array(layer.beta))
    return graph.op("LayerNormalization", sequence, *weights, axis=-1, epsilon=layer.epsilon)
