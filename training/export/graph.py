"""A thin layer over `onnx.helper`: nodes in the order in which they are called for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

OPSET = 17
#: ONNX Runtime's own operators.
RUNTIME_DOMAIN = "com.microsoft"

Value = str  # the name of a tensor in a graph


class Graph:
    """A graph under construction."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, *shape: str | int) -> Value:
        """Declares an input; a name in `shape` is an open size."""
        self._inputs.append(_tensor_info(name, dtype, shape))
        return name

    def output(self, value: Value, name: str, dtype: str, *shape: str | int) -> None:
        """Declares `value` an output under `name`."""
        self._nodes.append(onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(_tensor_info(name, dtype, shape))

    def constant(self, array: Any, dtype: str = "float32") -> Value:
        """A tensor that is stored in the graph."""
        name = f"constant_{len(self._constants)}"
        stored = np.ascontiguousarray(np.asarray(array, dtype))
        self._constants.append(onnx.numpy_helper.from_array(stored, name))
        return name

    def op(self, kind: str, *inputs: Value, domain: str = "", **attributes: Any) -> Value:
        """The one result of an operator."""
        return self.ops(kind, *inputs, count=1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: Value, count: int, domain: str = "", **attributes: Any
    ) -> list[Value]:
        """The first `count` results of an operator. An input of `""` is left out."""
        outputs = [f"{kind}_{len(self._nodes)}_{i}" for i in range(count)]
        self._nodes.append(
            onnx.helper.make_node(kind, inputs, outputs, domain=domain, **attributes)
        )
        return outputs

    def to_bytes(self) -> bytes:
        """The checked graph as a file."""
        graph = onnx.helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._constants
        )
        opsets = [
            onnx.helper.make_opsetid("", OPSET),
            onnx.helper.make_opsetid(RUNTIME_DOMAIN, 1),
        ]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def _tensor_info(name: str, dtype: str, shape: Sequence[str | int]) -> onnx.ValueInfoProto:
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return onnx.helper.make_tensor_value_info(name, kind, shape)


Array = NDArray[Any]
