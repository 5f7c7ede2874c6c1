"""Graphs in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph

from model.contract import StepResult, resized
from model.engine.cores import usable_cores
from model.folder import GRAPH_FORMAT
from model.types import Array, Float32, Int32


class StepGraph:
    """A decoder step.

    Args:
        graph: contents of the file.
        threads: threads per operator.

    Attributes:
        memory_names: inputs for the sources, `(slots, ...)`.
        state_names: inputs for the decoder's state, `(slots, width, steps, units)`.
        state_sizes: number of units of each of these inputs.
        has_history: whether part of the state grows with the tokens read.
        max_top_k: number of tokens that it chooses from.

    Raises:
        InvalidGraph: if it has another format, or is not the graph of a step.
    """

    def __init__(self, graph: bytes, threads: int) -> None:
        session = open_session(graph, threads)
        # `InferenceSession.run` first checks the names of all inputs, which takes a quarter of the
        # time of a small step.
        self._run = session._sess.run
        metadata = session.get_modelmeta().custom_metadata_map
        if "most_tokens" not in metadata:
            raise InvalidGraph("it is not the graph of a step")
        self.max_top_k = int(metadata["most_tokens"])
        self._fewest_rows = int(metadata["fewest_rows"])
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
        """Builds the feeds that stay the same for many steps; the others are set at each step."""
        feeds = {name: memory[name] for name in self.memory_names}
        if self._has_wanted:
            feeds["wanted"] = np.zeros((len(memory["padding"]), width, 1, 0), np.int32)
        return feeds

    def allocate_cache(self, state: Sequence[Float32], steps: int) -> list[Float32]:
        """Returns `state` with room for `steps` tokens in its histories, which grow by at least
        half."""
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
        """Runs a step; returns its result and the next state.

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
            results = self._run_doubled(outputs, feeds)
        else:
            results = self._run(outputs, feeds, None)
        end = len(self._outputs)
        (best, logprobs, *state), others = results[:end], results[end:]
        requested = {
            name: array[:, :, 0] for name, array in zip(outputs[end:], others, strict=True)
        }
        return StepResult(best, logprobs, **requested), state

    def _run_doubled(self, outputs: list[str], feeds: dict[str, Array]) -> list[Array]:
        """Computes each row twice, for graphs in which a single row is rounded differently."""
        by_row = {*self.state_names, "tokens", "wanted"}
        doubled = {
            name: np.repeat(array, 2, axis=1) if name in by_row else array
            for name, array in feeds.items()
        }
        return [each[:, :1] for each in self._run(outputs, doubled, None)]


def open_session(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Opens a graph with `threads` per operator; 0: one per core.

    Raises:
        InvalidGraph: if it has another format.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Each graph has its own threads; if they spin, they take cores from each other.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found = session.get_modelmeta().custom_metadata_map.get("format", "1")
    if found != str(GRAPH_FORMAT):
        raise InvalidGraph(f"its format is {found}, and this release reads {GRAPH_FORMAT}")
    return session
