"""How a graph looks tokens up and multiplies by weights: in float32, or in int8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.export.graph import RUNTIME_DOMAIN, Array, Graph, Value

#: Weights keep 7 bits: processors without VNNI add two products of 8 x 8 bits in 16, and would
#: saturate. So a graph says the same on every machine.
WEIGHT_STEPS = 63
ACTIVATION_STEPS = 127
#: What one step of a bounded value's uint8 stands for, and the uint8 of 0.
BOUNDED_SCALE = 1.0 / ACTIVATION_STEPS
ZERO_POINT = 128
#: A matrix that loses more of its Frobenius norm than this stays in float32.
MOST_LOSS = 0.03


@dataclass(frozen=True)
class Operand:
    """What is multiplied by weights.

    Attributes:
        value: `(..., units)`, float32, or uint8 around `ZERO_POINT`.
        is_integer: whether it is uint8, of what lies in [-1, 1].
    """

    value: Value
    is_integer: bool = False


class Products(Protocol):
    """Look-ups and products in one precision."""

    #: Of an operand that `bounded` makes.
    bounded_dtype: str

    def table(self, graph: Graph, table: Array) -> Value:
        """A stored table `(vocabulary, units)`, float32 when it is read."""

    def weight(self, graph: Graph, weight: Array) -> Value:
        """A weight that is float32 when it is multiplied."""

    def bounded(self, graph: Graph, value: Value) -> Operand:
        """What lies in [-1, 1], such as an output of tanh, as an operand."""

    def multiply(self, graph: Graph, operand: Operand, matrix: Array, bias: Array) -> Value:
        """`operand @ matrix + bias`, float32."""


class Float32Products:
    """Everything in float32."""

    bounded_dtype = "float32"

    def table(self, graph: Graph, table: Array) -> Value:
        return graph.constant(table)

    def weight(self, graph: Graph, weight: Array) -> Value:
        return graph.constant(weight)

    def bounded(self, graph: Graph, value: Value) -> Operand:
        return Operand(value)

    def multiply(self, graph: Graph, operand: Operand, matrix: Array, bias: Array) -> Value:
        graph.has_float_products = True
        product = graph.op("MatMul", operand.value, graph.constant(matrix))
        return graph.op("Add", product, graph.constant(bias)) if bias.any() else product


class Int8Products:
    """uint8 activations with a fixed scale, int8 weights with a scale for each column.

    A fixed scale, since one drawn from a batch would let a row's answer depend on the others.
    """

    bounded_dtype = "uint8"

    def table(self, graph: Graph, table: Array) -> Value:
        scales = np.abs(table).max(axis=1, keepdims=True) / ACTIVATION_STEPS
        scales = np.where(scales > 0, scales, 1.0)
        steps = graph.constant(np.round(table / scales), "int8")
        return graph.op("Mul", graph.op("Cast", steps, to=1), graph.constant(scales))

    def weight(self, graph: Graph, weight: Array) -> Value:
        return graph.op("Cast", graph.constant(weight, "float16"), to=1)

    def bounded(self, graph: Graph, value: Value) -> Operand:
        constants = graph.constant(BOUNDED_SCALE), graph.constant(ZERO_POINT, "uint8")
        return Operand(graph.op("QuantizeLinear", value, *constants), is_integer=True)

    def multiply(self, graph: Graph, operand: Operand, matrix: Array, bias: Array) -> Value:
        scales, steps = quantise_columns(matrix)
        loss = float(np.linalg.norm(matrix - scales * steps) / (np.linalg.norm(matrix) + 1e-9))
        if not operand.is_integer or loss > MOST_LOSS:
            return Float32Products().multiply(graph, dequantised(graph, operand), matrix, bias)
        return graph.op(
            "MatMulIntegerToFloat",
            operand.value,
            graph.constant(steps, "int8"),
            graph.constant(BOUNDED_SCALE),
            graph.constant(scales),
            graph.constant(ZERO_POINT, "uint8"),
            graph.constant(np.zeros_like(scales), "int8"),
            graph.constant(bias),
            domain=RUNTIME_DOMAIN,
        )


def quantise_columns(matrix: Array) -> tuple[Array, Array]:
    """`matrix ~ scales * steps`: a scale for each column, whole steps within `WEIGHT_STEPS`."""
    scales = np.abs(matrix).max(axis=0) / WEIGHT_STEPS
    scales = np.where(scales > 0, scales, 1.0).astype("float32")
    return scales, np.round(matrix / scales)


def dequantised(graph: Graph, operand: Operand) -> Operand:
    """`operand` in float32."""
    if not operand.is_integer:
        return operand
    constants = graph.constant(BOUNDED_SCALE), graph.constant(ZERO_POINT, "uint8")
    return Operand(graph.op("DequantizeLinear", operand.value, *constants))


PRODUCTS: dict[str, Products] = {"float32": Float32Products(), "int8": Int8Products()}
