"""A thin layer over `onnx.helper`: nodes in the order in which they are called for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

OPSET = 17
#: ONNX Runtime's own operators.
RUNTIME_DOMAIN = "com.microsoft"

Value = str  # the name of a tensor in a graph


class Turn(NamedTuple):
    """One turn of a loop.

    Attributes:
        goes_on: bool, one element: whether another turn follows.
        handed_on: what the next turn reads.
        collected: what is kept of this one.
    """

    goes_on: Value
    handed_on: list[Value]
    collected: list[Value]


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
        """Declares an input; a name in `shape` is an open size."""
        self._inputs.append(_tensor_info(name, dtype, shape))
        return name

    def output(self, value: Value, name: str, dtype: str, *shape: str | int) -> None:
        """Declares the result `value` an output, known as `name` from now on."""
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [name if each == value else each for each in names]
        self._outputs.append(_tensor_info(name, dtype, shape))

    def constant(self, array: Any, dtype: str = "float32") -> Value:
        """A tensor that is stored in the graph, once for all that are equal."""
        stored = np.ascontiguousarray(np.asarray(array, dtype))
        key = (stored.dtype.str, stored.shape, stored.tobytes())
        if key not in self._constant_names:
            self._constant_names[key] = f"constant_{len(self._constants)}"
            tensor = onnx.numpy_helper.from_array(stored, self._constant_names[key])
            self._constants.append(tensor)
        return self._constant_names[key]

    def op(self, kind: str, *inputs: Value, domain: str = "", **attributes: Any) -> Value:
        """The one result of an operator."""
        return self.ops(kind, *inputs, count=1, domain=domain, **attributes)[0]

    def ops(
        self, kind: str, *inputs: Value, count: int, domain: str = "", **attributes: Any
    ) -> list[Value]:
        """The first `count` results of an operator. An input of `""` is left out."""
        self._made += 1
        outputs = [f"{kind}_{self._made}_{i}" for i in range(count)]
        self._nodes.append(
            onnx.helper.make_node(kind, inputs, outputs, domain=domain, **attributes)
        )
        return outputs

    def either(
        self,
        condition: Value,
        then: Callable[[], Sequence[Value]],
        otherwise: Callable[[], Sequence[Value]],
        dtypes: Sequence[str],
    ) -> list[Value]:
        """What `then` or `otherwise` computes, as the scalar `condition` is true or not. Both give
        one value of each of `dtypes`, and may read every value made before."""
        branches = {
            "then_branch": self._branch("then", then, dtypes),
            "else_branch": self._branch("otherwise", otherwise, dtypes),
        }
        return self.ops("If", condition, count=len(dtypes), **branches)

    def repeat(
        self,
        times: Value,
        carried: Mapping[Value, str],
        build: Callable[[list[Value]], Turn],
        dtypes: Sequence[str],
    ) -> list[Value]:
        """What `build` collects in each of at most `times` turns, stacked: one value of each of
        `dtypes`. There may be no turn.

        Args:
            times: int64 `(1,)`.
            carried: what the first turn reads, and its dtypes; the next reads what the turn before
                it hands on.
            build: makes a turn; may read every value made before.
        """
        kept = [f"carried_{self._made}_{i}" for i in range(len(carried))]
        inputs = [_tensor_info(f"turn_{self._made}", "int64", ())]
        inputs.append(_tensor_info(f"goes_on_{self._made}", "bool", None))
        inputs += [_tensor_info(*each, None) for each in zip(kept, carried.values(), strict=True)]

        def turn() -> list[Value]:
            made = build(kept)
            collected = [
                self.op("Identity", each) if each in made.handed_on else each
                for each in made.collected
            ]
            return [made.goes_on, *made.handed_on, *collected]

        body = self._branch("turn", turn, ["bool", *carried.values(), *dtypes], inputs)
        always = self.constant(True, "bool")
        count = len(carried) + len(dtypes)
        return self.ops("Loop", times, always, *carried, count=count, body=body)[len(carried) :]

    def _branch(
        self,
        name: str,
        build: Callable[[], Sequence[Value]],
        dtypes: Sequence[str],
        inputs: Sequence[onnx.ValueInfoProto] = (),
    ) -> onnx.GraphProto:
        outside, self._nodes = self._nodes, []
        values = build()
        inside, self._nodes = self._nodes, outside
        outputs = [_tensor_info(*each, None) for each in zip(values, dtypes, strict=True)]
        return onnx.helper.make_graph(inside, name, inputs, outputs)

    def to_bytes(self, **notes: str | int) -> bytes:
        """The checked graph as a file, with `notes` for the engine that runs it."""
        graph = onnx.helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._constants
        )
        opsets = [
            onnx.helper.make_opsetid("", OPSET),
            onnx.helper.make_opsetid(RUNTIME_DOMAIN, 1),
        ]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.helper.set_model_props(model, {name: str(note) for name, note in notes.items()})
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))


def _tensor_info(name: str, dtype: str, shape: Sequence[str | int] | None) -> onnx.ValueInfoProto:
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return onnx.helper.make_tensor_value_info(name, kind, shape)


Array = NDArray[Any]
