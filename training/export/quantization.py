"""Arithmetic of a graph's look-ups and products: float32, or int8."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model.types import Array
from training.export.graph import FLOAT, INT8, RUNTIME_DOMAIN, Graph, Value

#: Weights keep 7 bits: processors without VNNI add two products of 8 x 8 bits in 16, and would
#: saturate. With 7, a graph computes the same on every machine.
WEIGHT_QMAX = 63
ACTIVATION_QMAX = 127
#: From whole numbers within +-`ACTIVATION_QMAX` to those within +-`WEIGHT_QMAX`.
_TO_WEIGHT = WEIGHT_QMAX / ACTIVATION_QMAX
#: Greatest absolute output of tanh, and so of GRU and LSTM.
TANH_LIMIT = 1.0
#: A table's product with a matrix is computed once, when a graph is loaded, if it takes no more
#: memory in float32, of which a quarter stays.
MAX_TABLE_BYTES = 64 * 2**20
#: Scale and zero point of activations within [-1, 1]: value = ACTIVATION_SCALE * (uint8 -
#: ZERO_POINT).
ACTIVATION_SCALE = 1.0 / ACTIVATION_QMAX
ZERO_POINT = 128
#: A matrix that loses more of its Frobenius norm than this is multiplied in float32.
MAX_NORM_LOSS = 0.03


@dataclass(frozen=True)
class Operand:
    """The left side of a product with weights.

    Attributes:
        value: `(..., units)`, float32, or uint8 around `ZERO_POINT`.
        is_integer: whether it is uint8, quantized from [-limit, limit].
        limit: see there.
    """

    value: Value
    is_integer: bool = False
    limit: float = TANH_LIMIT

    @property
    def scale(self) -> float:
        """Returns what a step of the uint8 stands for."""
        return self.limit * ACTIVATION_SCALE


class Arithmetic:
    """Look-ups and products in one precision: float32."""

    def look_up(self, graph: Graph, table: Array, tokens: Value) -> Value:
        """Stores a table `(vocabulary, units)` and returns the tokens' rows in float32."""
        return graph.op("Gather", graph.constant(table), tokens, axis=0)

    def multiply_rows(
        self, graph: Graph, table: Array, tokens: Value, matrix: Array, bias: Array
    ) -> Value:
        """Stores a table and returns `look_up(table, tokens) @ matrix + bias` in float32."""
        rows = Operand(self.look_up(graph, table, tokens))
        return self.multiply(graph, rows, matrix, bias)

    def weight(self, graph: Graph, weight: Array) -> Value:
        """Stores a weight and returns it in float32."""
        return graph.constant(weight)

    def rows(self, graph: Graph, table: Array) -> Value:
        """Stores a table `(..., rows, units)`, whose rows may have scales of their own, and returns
        it in float32."""
        return graph.constant(table)

    def quantize(self, graph: Graph, value: Value, limit: float = TANH_LIMIT) -> Operand:
        """Returns a value within [-limit, limit] as an operand of this precision; 1 is the limit
        of tanh. What lies beyond is cut."""
        return Operand(value)

    def multiply(self, graph: Graph, operand: Operand, matrix: Array, bias: Array) -> Value:
        """Returns `operand @ matrix + bias` in float32."""
        graph.has_float_products = True
        product = graph.op("MatMul", operand.value, self.weight(graph, matrix))
        return graph.op("Add", product, graph.constant(bias)) if bias.any() else product

    def multiply_by_rows(self, graph: Graph, operand: Operand, table: Array, bias: Array) -> Value:
        """Returns `operand @ table.T + bias` in float32; where the bias is longer than the table,
        the products are 0. The table is stored as `look_up` stores it, so that a graph that does
        both contains it once."""
        graph.has_float_products = True
        zeros = graph.constant(_rows_below(table, bias))
        product = graph.op(
            "MatMul", operand.value, _as_columns(graph, self.rows(graph, table), zeros)
        )
        return graph.op("Add", product, graph.constant(bias))


class Int8Arithmetic(Arithmetic):
    """uint8 activations with a fixed scale, int8 weights with a scale for each column.

    The scale is fixed: one computed from a batch would let a row's answer depend on the others.
    """

    def look_up(self, graph: Graph, table: Array, tokens: Value) -> Value:
        scales, quantized = quantize_rows(table)
        rows = graph.op("Gather", graph.constant(quantized, "int8"), tokens, axis=0)
        scale = graph.op("Gather", graph.constant(scales), tokens, axis=0)
        return graph.op("Mul", graph.op("Cast", rows, to=FLOAT), scale)

    def multiply_rows(
        self, graph: Graph, table: Array, tokens: Value, matrix: Array, bias: Array
    ) -> Value:
        rows, units = len(table), matrix.shape[1]
        if rows * units * 4 > MAX_TABLE_BYTES:
            return super().multiply_rows(graph, table, tokens, matrix, bias)
        row_scales, quantized = quantize_rows(table)
        scales = np.abs(row_scales * quantized @ matrix).max(axis=0) / ACTIVATION_QMAX
        scales = np.where(scales > 0, scales, 1.0)
        scaled = matrix / scales
        greatest = float(np.abs(scaled).max()) or 1.0  # a weight in half precision may be no larger
        # The runtime computes what has constant inputs once, when it loads the graph.
        stored = graph.op("Cast", graph.constant(quantized, "int8"), to=FLOAT)
        stored = graph.op("Mul", stored, graph.constant(row_scales * greatest))
        products = graph.op("MatMul", stored, self.weight(graph, scaled / greatest))
        products = graph.op("Cast", graph.op("Round", products), to=INT8)
        found = graph.op("Cast", graph.op("Gather", products, tokens, axis=0), to=FLOAT)
        return graph.op("Add", graph.op("Mul", found, graph.constant(scales)), graph.constant(bias))

    def weight(self, graph: Graph, weight: Array) -> Value:
        return graph.op("Cast", graph.constant(weight, "float16"), to=FLOAT)

    def rows(self, graph: Graph, table: Array) -> Value:
        scales, quantized = quantize_rows(table)
        stored = graph.op("Cast", graph.constant(quantized, "int8"), to=FLOAT)
        return graph.op("Mul", stored, graph.constant(scales))

    def quantize(self, graph: Graph, value: Value, limit: float = TANH_LIMIT) -> Operand:
        constants = (
            graph.constant(limit * ACTIVATION_SCALE),
            graph.constant(ZERO_POINT, "uint8"),
        )
        quantized = graph.op("QuantizeLinear", value, *constants)
        return Operand(quantized, is_integer=True, limit=limit)

    def multiply(self, graph: Graph, operand: Operand, matrix: Array, bias: Array) -> Value:
        if not operand.is_integer:
            return super().multiply(graph, operand, matrix, bias)
        scales, quantized = quantize_columns(matrix)
        if _is_lossy(matrix, scales * quantized):
            return super().multiply(graph, _dequantize(graph, operand), matrix, bias)
        stored = graph.constant(quantized, "int8")
        return _multiply_integers(graph, operand, stored, scales, bias)

    def multiply_by_rows(self, graph: Graph, operand: Operand, table: Array, bias: Array) -> Value:
        scales, quantized = quantize_rows(table)
        weight_scales, weights = to_weights(scales, quantized)
        if _is_lossy(table, weight_scales * weights):
            return super().multiply_by_rows(graph, _dequantize(graph, operand), table, bias)
        # The runtime computes what has constant inputs once, when it loads the graph.
        stored = graph.op("Cast", graph.constant(quantized, "int8"), to=FLOAT)
        rounded = graph.op("Round", graph.op("Mul", stored, graph.constant(_TO_WEIGHT)))
        below = _rows_below(table, bias)
        rows = graph.op("Cast", rounded, to=INT8)
        matrix = _as_columns(graph, rows, graph.constant(below, "int8"))
        padded = np.append(weight_scales, np.ones(len(below)))
        return _multiply_integers(graph, operand, matrix, padded, bias)


def _rows_below(table: Array, bias: Array) -> Array:
    """Returns the zeros below a table that is shorter than `bias`."""
    return np.zeros((len(bias) - len(table), table.shape[1]))


def _as_columns(graph: Graph, rows: Value, below: Value) -> Value:
    """Returns `rows` and those below as the columns of a matrix."""
    return graph.op("Transpose", graph.op("Concat", rows, below, axis=0), perm=[1, 0])


def _is_lossy(weights: Array, quantized: Array) -> bool:
    return bool(np.linalg.norm(weights - quantized) > MAX_NORM_LOSS * np.linalg.norm(weights))


def _dequantize(graph: Graph, operand: Operand) -> Operand:
    constants = graph.constant(operand.scale), graph.constant(ZERO_POINT, "uint8")
    return Operand(graph.op("DequantizeLinear", operand.value, *constants))


def _multiply_integers(
    graph: Graph, operand: Operand, matrix: Value, scales: Array, bias: Array
) -> Value:
    """Returns `operand @ matrix + bias` in float32; `matrix` is int8 with a scale per column."""
    return graph.op(
        "MatMulIntegerToFloat",
        operand.value,
        matrix,
        graph.constant(operand.scale),
        graph.constant(scales),
        graph.constant(ZERO_POINT, "uint8"),
        graph.constant(np.zeros_like(scales), "int8"),
        graph.constant(bias),
        domain=RUNTIME_DOMAIN,
    )


def quantize_rows(table: Array) -> tuple[Array, Array]:
    """Returns a scale for each row, `(..., rows, 1)`, and whole numbers within +-`ACTIVATION_QMAX`,
    so that `table ~ scales * quantized`."""
    scales = np.abs(table).max(axis=-1, keepdims=True) / ACTIVATION_QMAX
    scales = np.where(scales > 0, scales, 1.0)
    return scales, np.round(table / scales)


def to_weights(scales: Array, quantized: Array) -> tuple[Array, Array]:
    """Returns what `quantize_rows` returns with whole numbers within +-`WEIGHT_QMAX`."""
    return scales / _TO_WEIGHT, np.round(_TO_WEIGHT * quantized)


def quantize_columns(matrix: Array) -> tuple[Array, Array]:
    """Returns a scale for each column and whole numbers within +-`WEIGHT_QMAX`, so that
    `matrix ~ scales * quantized`."""
    scales = np.abs(matrix).max(axis=0) / WEIGHT_QMAX
    scales = np.where(scales > 0, scales, 1.0).astype("float32")
    return scales, np.round(matrix / scales)


ARITHMETIC: dict[str, Arithmetic] = {"float32": Arithmetic(), "int8": Int8Arithmetic()}
