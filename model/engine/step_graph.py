"""Graphs in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph

from model.contract import StepResult
from model.engine.cores import usable_cores
from model.folder import GRAPH_FORMAT
from model.types import Array, Float32, Int32


class StepOutput(NamedTuple):
    """Outputs of a step.

    Attributes:
        result: what the search reads.
        state: the next state, each `(slots, width, 1, units)`.
    """

    result: StepResult
    state: list[Float32]


class StepGraph:
    """A step of the decoder.

    Args:
        graph: the file.
        threads: per operator.

    Attributes:
        memory_names: its inputs of sources, `(slots, ...)`.

    Raises:
        InvalidGraph: if another release wrote it.
    """

    def __init__(self, graph: bytes, threads: int) -> None:
        session = open_session(graph, threads)
        # `InferenceSession.run` first compares the names of all inputs, which takes a quarter of
        # the time of a small step.
        self._run = session._sess.run
        notes = session.get_modelmeta().custom_metadata_map
        self._most_tokens = int(notes["most_tokens"])
        self._fewest_rows = int(notes["fewest_rows"])
        inputs = [each.name for each in session.get_inputs()]
        self._row_inputs = [name for name in inputs if name == "tokens" or "state_" in name]
        self._has_wanted = "wanted" in inputs
        self._outputs = ["best", "logprobs", "attention_weights"]
        self._outputs += [f"next_{name}" for name in self._row_inputs[1:]]
        if self._has_wanted:
            self._row_inputs.append("wanted")
            self._outputs.append("wanted_logprobs")
        self.memory_names = tuple(sorted({*inputs} - {*self._row_inputs, "top_k"}))

    def run(
        self,
        memory: Mapping[str, Array],
        tokens: Int32,
        state: Sequence[Float32],
        top_k: int,
        wanted: Int32 | None = None,
    ) -> StepOutput:
        """Takes a step.

        Args:
            memory: its inputs of sources.
            tokens: `(slots, width)`, what each row reads.
            state: each `(slots, width, 1, units)`.
            top_k: how many of the likeliest tokens to return, or all that it chooses from.
            wanted: `(slots, width, n)`, tokens whose log-probabilities to return.
        """
        by_row = [tokens[:, :, None], *state]
        if self._has_wanted:
            none = np.zeros((*tokens.shape, 0), np.int32)
            by_row.append((none if wanted is None else wanted.clip(min=0))[:, :, None])
        is_too_small = tokens.size < self._fewest_rows
        if is_too_small:
            by_row = [np.repeat(each, 2, axis=1) for each in by_row]
        feeds = dict(zip(self._row_inputs, by_row, strict=True))
        feeds["top_k"] = np.array([min(top_k, self._most_tokens)])
        results = self._run(self._outputs, {**memory, **feeds}, None)
        if is_too_small:
            results = [each[:, :1] for each in results]
        best, logprobs, attention_weights, *next_state = results
        found = next_state.pop()[:, :, 0] if self._has_wanted else None
        result = StepResult(
            best, logprobs, attention_weights[:, :, 0], None if wanted is None else found
        )
        return StepOutput(result, next_state)


def open_session(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Opens a graph; `threads` are those per operator, 0: one for each core.

    Raises:
        InvalidGraph: if another release wrote it.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Each graph has threads of its own: if they spin, they take the cores from one another.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map.get("format", "1")
    if found != str(GRAPH_FORMAT):
        raise InvalidGraph(f"its format is {found}, and this release reads {GRAPH_FORMAT}")
    return session
