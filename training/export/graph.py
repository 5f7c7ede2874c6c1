"""A thin layer over `onnx.helper`: nodes are added in the order of the calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx

from model.folder import GRAPH_FORMAT

OPSET = 17
#: ONNX Runtime's own operators.
RUNTIME_DOMAIN = "com.microsoft"

FLOAT, INT8, INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT8, onnx.TensorProto.INT32

Value = str  # the name of a tensor in a graph


class Graph:
    """A graph under construction."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._made = 0
        self.has_float_products = False  # by weights; their rounding depends on the number of rows
        self._constants: list[onnx.TensorProto] = []
        self._constant_names: dict[tuple[str, tuple[int, ...], bytes], Value] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: str, *shape: str | int) -> Value:
        """Declares an input and returns it; a name in `shape` is a dynamic dimension."""
        self._inputs.append(_tensor_info(name, dtype, shape))
        return name

    def output(self, value: Value, name: str, dtype: str, *shape: str | int) -> None:
        """Declares `value` an output and renames it to `name`."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if each == value else each for each in names]
        self._outputs.append(_tensor_info(name, dtype, shape))

    def constant(self, array: Any, dtype: str = "float32") -> Value:
        """Returns a tensor that is stored in the graph; equal tensors are stored once."""
        stored = np.ascontiguousarray(np.asarray(array, dtype))
        key = (stored.dtype.str, stored.shape, stored.tobytes())
        if key not in self._constant_names:
            self._constant_names[key] = f"constant_{len(self._constants)}"
            tensor = onnx.numpy_helper.from_array(stored, self._constant_names[key])
            self._constants.append(tensor)
        return self._constant_names[key]

    def op(self, kind: str, *inputs: Value, domain: str = "", **attributes: Any) -> Value:
        """Adds an operator and returns its only output."""
        return self.ops(kind, *inputs, count=1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: Value, count: int, domain: str = "", **attributes: Any
    ) -> list[Value]:
        """Adds an operator and returns its first `count` outputs. An input of `""` is omitted."""
        self._made += 1
        outputs = [f"{kind}_{self._made}_{i}" for i in range(count)]
        self._nodes.append(
            onnx.helper.make_node(kind, inputs, outputs, domain=domain, **attributes)
        )
        return outputs

    def add_if(
        self,
        condition: Value,
        then_branch: Callable[[], Sequence[Value]],
        else_branch: Callable[[], Sequence[Value]],
        dtypes: Sequence[str],
    ) -> list[Value]:
        """Adds an If and returns its outputs: those of `then_branch` where the scalar `condition`
        is true, else those of `else_branch`. Both build one value of each of `dtypes`, and may use
        every value that was made before."""
        branches = {
            "then_branch": self._subgraph("then", then_branch, dtypes),
            "else_branch": self._subgraph("otherwise", else_branch, dtypes),
        }
        return self.ops("If", condition, count=len(dtypes), **branches)

    def _subgraph(
        self, name: str, build: Callable[[], Sequence[Value]], dtypes: Sequence[str]
    ) -> onnx.GraphProto:
        outside, self._nodes = self._nodes, []
        values = build()
        inside, self._nodes = self._nodes, outside
        outputs = [_tensor_info(*each, None) for each in zip(values, dtypes, strict=True)]
        return onnx.helper.make_graph(inside, name, [], outputs)

    def to_bytes(self, **notes: str | int) -> bytes:
        """Checks the graph and returns it as a file, with its format and `notes` for its engine."""
        graph = onnx.helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._constants
        )
        opsets = [
            onnx.helper.make_opsetid("", OPSET),
            onnx.helper.make_opsetid(RUNTIME_DOMAIN, 1),
        ]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
        notes = {"format": GRAPH_FORMAT, **notes}
        onnx.helper.set_model_props(model, {name: str(note) for name, note in notes.items()})
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def _tensor_info(name: str, dtype: str, shape: Sequence[str | int] | None) -> onnx.ValueInfoProto:
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return onnx.helper.make_tensor_value_info(name, kind, shape)
