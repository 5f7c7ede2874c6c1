"""Graphs in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph

from model.contract import StepResult
from model.engine.cores import usable_cores
from model.folder import GRAPH_FORMAT
from model.slots import resized
from model.types import Array, Float32, Int32


class StepGraph:
    """A step of the decoder.

    Args:
        graph: the file.
        threads: per operator.

    Attributes:
        memory_names: its inputs of sources, `(slots, ...)`.
        state_names: its inputs of the decoder's state, `(slots, width, steps, units)`.
        state_sizes: the units of each of these.
        has_history: whether some of the state grows with the tokens that were read.
        most_tokens: from how many tokens it chooses.

    Raises:
        InvalidGraph: if another release wrote it, or it is not of a step.
    """

    def __init__(self, graph: bytes, threads: int) -> None:
        session = open_session(graph, threads)
        # `InferenceSession.run` first compares the names of all inputs, which takes a quarter of
        # the time of a small step.
        self._run = session._sess.run
        notes = session.get_modelmeta().custom_metadata_map
        if "most_tokens" not in notes:
            raise InvalidGraph("it is not the graph of a step")
        self.most_tokens = int(notes["most_tokens"])
        self._fewest_rows = int(notes["fewest_rows"])
        inputs = [each.name for each in session.get_inputs()]
        self.state_names = [name for name in inputs if name.startswith("state_")]
        shapes = {each.name: each.shape for each in session.get_inputs()}
        self.state_sizes = [shapes[name][-1] for name in self.state_names]
        self._is_history = [isinstance(shapes[name][2], str) for name in self.state_names]
        self.has_history = any(self._is_history)
        self._has_wanted = "wanted" in inputs
        self._outputs = ["best", "logprobs"]
        self._outputs += [f"next_{name}" for name in self.state_names]
        others = {*self.state_names, "tokens", "top_k", "wanted"}
        self.memory_names = tuple(sorted({*inputs} - others))

    def new_feeds(self, memory: Mapping[str, Array], width: int) -> dict[str, Array]:
        """Builds what stays the same for many steps of `memory`; the rest is set at each step."""
        feeds = {name: memory[name] for name in self.memory_names}
        if self._has_wanted:
            feeds["wanted"] = np.zeros((len(memory["padding"]), width, 1, 0), np.int32)
        return feeds

    def make_room(self, state: Sequence[Float32], steps: int) -> list[Float32]:
        """Returns `state` with room for `steps` tokens in its histories; where it grows, by a
        half at least."""
        return [
            resized(each, *each.shape[:2], max(steps, each.shape[2] * 3 // 2), each.shape[3])
            if is_history and steps > each.shape[2]
            else each
            for each, is_history in zip(state, self._is_history, strict=True)
        ]

    def run(
        self,
        feeds: dict[str, Array],
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> tuple[StepResult, list[Float32]]:
        """Takes a step; returns its result and the next state.

        Args:
            feeds: `new_feeds`, with `tokens` `(slots, width, 1)`, `top_k` `(1,)` and the state.
            wanted: `(slots, width, n)`, tokens whose log-probabilities to return.
            with_attention: whether to return attention weights.
        """
        outputs = self._outputs
        if with_attention:
            outputs = [*outputs, "attention_weights"]
        if wanted is not None and self._has_wanted:
            outputs = [*outputs, "wanted_logprobs"]
            feeds = {**feeds, "wanted": np.maximum(wanted, 0)[:, :, None]}
        if feeds["tokens"].size < self._fewest_rows:
            results = self._run_twice(outputs, feeds)
        else:
            results = self._run(outputs, feeds, None)
        end = len(self._outputs)
        (best, logprobs, *state), others = results[:end], results[end:]
        told = {name: array[:, :, 0] for name, array in zip(outputs[end:], others, strict=True)}
        return StepResult(best, logprobs, **told), state

    def _run_twice(self, outputs: list[str], feeds: dict[str, Array]) -> list[Array]:
        """Computes each row twice, for a graph in which a single row is rounded differently."""
        by_row = {*self.state_names, "tokens", "wanted"}
        twice = {
            name: np.repeat(array, 2, axis=1) if name in by_row else array
            for name, array in feeds.items()
        }
        return [each[:, :1] for each in self._run(outputs, twice, None)]


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
