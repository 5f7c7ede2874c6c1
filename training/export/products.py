"""How a graph looks tokens up and multiplies by weights: in float32, or in int8."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import numpy as np

from training.export.graph import RUNTIME_DOMAIN, Array, Graph, Value

#: Weights keep 7 bits: processors without VNNI add two products of 8 x 8 bits in 16, and would
#: saturate. So a graph says the same on every machine.
WEIGHT_STEPS = 63
ACTIVATION_STEPS = 127
ZERO_POINT = 128
#: A matrix that loses more of its Frobenius norm than this stays in float32.
MOST_LOSS = 0.03


@dataclass(frozen=True)
class Operand:
    """What is multiplied by weights.

    Attributes:
        value: `(rows, units)`, float32, or uint8 around `ZERO_POINT`.
        units: its size.
        scale: what one step of the uint8 stands for; None: it is float32.
    """

    value: Value
    units: int
    scale: float | None = None


class Products(Protocol):
    """Look-ups and products in one precision."""

    def embed(self, graph: Graph, table: Array, ids: Value) -> Operand:
        """Rows of `table` `(vocabulary, units)`."""

    def bounded(self, graph: Graph, value: Value, units: int) -> Operand:
        """What lies in [-1, 1], such as an output of tanh, as an operand."""

    def multiply(self, graph: Graph, operands: list[Operand], matrix: Array, bias: Array) -> Value:
        """`[operand; ...] @ matrix + bias`, float32."""


class Float32Products:
    """Everything in float32."""

    def embed(self, graph: Graph, table: Array, ids: Value) -> Operand:
        return Operand(graph.op("Gather", graph.constant(table), ids, axis=0), table.shape[1])

    def bounded(self, graph: Graph, value: Value, units: int) -> Operand:
        return Operand(value, units)

    def multiply(self, graph: Graph, operands: list[Operand], matrix: Array, bias: Array) -> Value:
        joined = _joined(graph, [each.value for each in operands])
        product = graph.op("MatMul", joined, graph.constant(matrix))
        return graph.op("Add", product, graph.constant(bias))


class Int8Products:
    """uint8 activations with fixed scales, int8 weights with a scale for each column.

    Fixed scales, since one drawn from a batch would let a row's answer depend on the others.
    """

    def embed(self, graph: Graph, table: Array, ids: Value) -> Operand:
        scale = float(np.abs(table).max()) / ACTIVATION_STEPS or 1.0
        steps = graph.constant(np.round(table / scale) + ZERO_POINT, "uint8")
        return Operand(graph.op("Gather", steps, ids, axis=0), table.shape[1], scale)

    def bounded(self, graph: Graph, value: Value, units: int) -> Operand:
        scale = 1.0 / ACTIVATION_STEPS
        constants = graph.constant(scale), graph.constant(ZERO_POINT, "uint8")
        return Operand(graph.op("QuantizeLinear", value, *constants), units, scale)

    def multiply(self, graph: Graph, operands: list[Operand], matrix: Array, bias: Array) -> Value:
        if len({each.scale for each in operands}) == 1:
            joined = _joined(graph, [each.value for each in operands])
            whole = Operand(joined, len(matrix), operands[0].scale)
            return self._multiply_one(graph, whole, matrix, bias)
        ends = np.cumsum([each.units for each in operands])[:-1]
        biases = [bias, *[np.zeros_like(bias)] * (len(operands) - 1)]
        parts = zip(operands, np.split(matrix, ends), biases, strict=True)
        products = [self._multiply_one(graph, *part) for part in parts]
        return reduce(lambda total, product: graph.op("Add", total, product), products)

    def _multiply_one(self, graph: Graph, operand: Operand, matrix: Array, bias: Array) -> Value:
        scales, steps = quantise_columns(matrix)
        loss = float(np.linalg.norm(matrix - scales * steps) / (np.linalg.norm(matrix) + 1e-9))
        if operand.scale is None or loss > MOST_LOSS:
            plain = dequantised(graph, operand)
            return Float32Products().multiply(graph, [plain], matrix, bias)
        return graph.op(
            "MatMulIntegerToFloat",
            operand.value,
            graph.constant(steps, "int8"),
            graph.constant(operand.scale),
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
    if operand.scale is None:
        return operand
    constants = graph.constant(operand.scale), graph.constant(ZERO_POINT, "uint8")
    return Operand(graph.op("DequantizeLinear", operand.value, *constants), operand.units)


def _joined(graph: Graph, values: list[Value]) -> Value:
    return values[0] if len(values) == 1 else graph.op("Concat", *values, axis=-1)


PRODUCTS: dict[str, Products] = {"float32": Float32Products(), "int8": Int8Products()}
