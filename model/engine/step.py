"""A step graph in ONNX Runtime: of the whole vocabulary, or of candidates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidGraph

from model.arrays import padded
from model.contract import Float32, Int32
from model.engine.cores import usable_cores
from model.engine.memory import Memory

#: Inputs of the graph for a single step.
_NO_MORE = {"more": np.array([0]), "totals": np.zeros(1, np.float32)}


@dataclass(frozen=True)
class Taken:
    """One step of a grid of rows.

    Attributes:
        best, logprobs: `(lines, width, top_k)`, the likeliest tokens int32.
        attention_weights: `(lines, width, 1, source_len)`.
        recurrent: `(lines, width, 1, units)`, the next state.
    """

    best: Int32
    logprobs: Float32
    attention_weights: Float32
    recurrent: list[Float32]

    @classmethod
    def of(cls, results: Iterable[NDArray[Any]]) -> Taken:
        """Builds it from a graph's outputs for a step, in order."""
        best, logprobs, attention_weights, *recurrent = results
        return cls(best, logprobs, attention_weights, recurrent)

    @classmethod
    def side_by_side(cls, parts: list[Taken], order: NDArray[np.intp]) -> Taken:
        """Concatenates the lines of all `parts`, in `order`."""
        states = zip(*(each.recurrent for each in parts), strict=True)
        return cls(
            np.concatenate(_equally_deep([each.best for each in parts], 0))[order],
            np.concatenate(_equally_deep([each.logprobs for each in parts], -np.inf))[order],
            np.concatenate([each.attention_weights for each in parts])[order],
            [np.concatenate(each)[order] for each in states],
        )


class StepGraph:
    """Runs a graph that `training.export` wrote.

    Raises:
        InvalidGraph: if another release wrote it.
    """

    def __init__(self, graph: bytes, threads: int) -> None:
        self._session = open_session(graph, threads)
        notes = self._session.get_modelmeta().custom_metadata_map
        inputs = {each.name for each in self._session.get_inputs()}
        if "vocab_size" not in notes or "more" not in inputs:
            raise InvalidGraph("an older release wrote the step")
        self._vocab_size = int(notes["vocab_size"])
        self._fewest_rows = int(notes["fewest_rows"])
        self._is_short = "columns" in inputs
        names = (each.name for each in self._session.get_outputs())
        next_names = [name for name in names if name.startswith("next_")]
        self._state_names = [name.removeprefix("next_") for name in next_names]
        self._names = ["best", "logprobs", "attention_weights", *next_names]
        self._ahead_names = [*(f"more_{name}" for name in self._names), "parents", "chosen"]

    def take(self, memory: Memory, tokens: Int32, recurrent: list[Float32], top_k: int) -> Taken:
        """Takes one step from `recurrent` and `tokens` `(lines, width, 1)`."""
        is_too_small = tokens.size < self._fewest_rows
        if is_too_small:
            tokens, *recurrent = (np.repeat(each, 2, axis=1) for each in (tokens, *recurrent))
        feeds = self._feeds(memory, tokens, recurrent, top_k)
        results = self._session.run(self._names, feeds | _NO_MORE)
        if is_too_small:
            results = [each[:, :1] for each in results]
        return Taken.of(results)

    def take_ahead(
        self,
        memory: Memory,
        tokens: Int32,
        recurrent: list[Float32],
        top_k: int,
        totals: Float32,
        steps: int,
    ) -> tuple[Taken, NDArray[np.int64], Int32]:
        """Takes at most `steps` steps, two or more, of one line, from `totals` `(width,)`, the
        log-probabilities so far. Returns them along the axis of the lines, and the parents and
        tokens chosen between two steps, `(steps - 1, width)`."""
        is_too_small = tokens.size < self._fewest_rows
        if is_too_small:
            totals = np.repeat(totals, 2)
            tokens, *recurrent = (np.repeat(each, 2, axis=1) for each in (tokens, *recurrent))
        feeds = self._feeds(memory, tokens, recurrent, top_k)
        feeds |= {"more": np.array([steps - 1]), "totals": totals}
        results = self._session.run([*self._names, *self._ahead_names], feeds)
        count = len(self._names)
        first, more, choices = results[:count], results[count:-2], results[-2:]
        both = [np.concatenate([a, b[:, 0]]) for a, b in zip(first, more, strict=True)]
        if is_too_small:
            both, choices = ([each[:, :1] for each in part] for part in (both, choices))
        return Taken.of(both), *choices

    def _feeds(
        self, memory: Memory, tokens: Int32, recurrent: list[Float32], top_k: int
    ) -> dict[str, NDArray[Any]]:
        feeds = {
            "tokens": tokens,
            "keys": memory.keys,
            "values": memory.values,
            "padding": memory.padding,
            **dict(zip(self._state_names, recurrent, strict=True)),
        }
        most = self._vocab_size
        if self._is_short and (candidates := memory.candidates):
            most = candidates.tokens.shape[1]
            feeds |= {
                "candidates": candidates.tokens,
                "columns": candidates.columns,
                "scales": candidates.scales,
                "bias": candidates.bias,
            }
        return feeds | {"top_k": np.array([min(top_k, most)])}


def _equally_deep(parts: list[NDArray[Any]], filling: float) -> list[NDArray[Any]]:
    """Pads arrays `(lines, width, k)` to the largest k."""
    deepest = max(each.shape[2] for each in parts)
    return [padded(each, [(0, 0), (0, 0), (0, deepest - each.shape[2])], filling) for each in parts]


def open_session(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Opens a graph; `threads` are those per operator, 0: one for each core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Each graph has threads of its own: if they spin, they take the cores from one another.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
