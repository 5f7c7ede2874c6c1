"""Arithmetic of graphs, run by the runtime and compared with NumPy."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from model.types import Array
from training.export import quantization
from training.export.graph import Graph
from training.export.quantization import ARITHMETIC

VOCABULARY, UNITS, COLUMNS = 50, 16, 12
TOKENS = np.array([[3, 0], [49, 7]], np.int32)


def run(graph: Graph, value: str) -> Array:
    graph.output(value, "found", "float32", "rows", "width", "units")
    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(graph.to_bytes(), options)
    (found,) = session.run(["found"], {"tokens": TOKENS})
    return np.asarray(found)


def tables() -> tuple[Array, Array, Array]:
    """Returns a table with a row of zeros, a matrix of which a column is tiny, and a bias."""
    draw = np.random.default_rng(0)
    table = draw.normal(size=(VOCABULARY, UNITS)) * draw.uniform(0.001, 0.1, (VOCABULARY, 1))
    table[7] = 0.0
    matrix = draw.normal(size=(UNITS, COLUMNS))
    matrix[:, 5] *= 1e-7
    return table, matrix, draw.normal(size=COLUMNS)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("most_bytes", [quantization.MAX_TABLE_BYTES, 0])
def test_rows_of_a_table_are_multiplied(
    precision: str, most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantization, "MAX_TABLE_BYTES", most_bytes)
    table, matrix, bias = tables()
    graph = Graph("rows")
    tokens = graph.input("tokens", "int32", "rows", "width")
    found = run(graph, ARITHMETIC[precision].multiply_rows(graph, table, tokens, matrix, bias))
    products = table @ matrix
    step = np.abs(products).max(axis=0) / quantization.ACTIVATION_QMAX  # of each column in int8
    tolerance = 2.0 * step if precision == "int8" else 1e-5
    assert (np.abs(found - (products[TOKENS] + bias)) <= tolerance + 1e-6).all()
    np.testing.assert_allclose(found[1, 1], bias, atol=1e-6)  # of the row of zeros


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-7), ("int8", 1 / 250)])
def test_rows_of_a_table_are_looked_up(precision: str, tolerance: float) -> None:
    table, _, _ = tables()
    graph = Graph("rows")
    tokens = graph.input("tokens", "int32", "rows", "width")
    found = run(graph, ARITHMETIC[precision].look_up(graph, table, tokens))
    largest = np.abs(table).max(axis=1)[TOKENS][..., None]
    assert (np.abs(found - table[TOKENS]) <= tolerance * largest).all()
