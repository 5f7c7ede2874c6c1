"""The decoding contract over ONNX Runtime, on a CPU. Imports neither Keras nor TensorFlow."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
)

from model.contract import EVERY_TOKEN, Float32, Int32, StepResult
from model.engine.rows import at_least, pick
from model.errors import EngineError, FolderError
from model.folder import GRAPH_FILES, ModelFolder

Precision = Literal["float32", "int8"]


#: Sources that the encoder reads at a time. Its recurrent operator computes padding as it computes
#: tokens and takes twice as long for twice the rows: few of like length are read soonest.
ENCODED_TOGETHER = 4

#: What the runtime raises for a file that is no graph, or none that it can run.
BAD_GRAPH = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf)


@dataclass(frozen=True)
class OnnxState:
    """What a step continues. Its arrays may have more rows than are real.

    Attributes:
        rows: real rows.
        keys, values, mask: the sources, one row for each row that was asked for last.
        sources: which encoded source each row reads: rows whose sources stay in place (all of a
            beam, mostly) need no copy of them.
        recurrent: the decoder's state, each `(at least rows, units)`.
    """

    rows: int
    keys: Float32
    values: Float32
    mask: Any
    sources: Int32
    recurrent: list[Float32]


class OnnxEngine:
    """Runs exported graphs. See `model.contract.Engine`.

    Args:
        encoder, step: the graphs, as `python -m training export` writes them.
        threads: how many work on one operator; 0: one for each core.
    """

    def __init__(self, encoder: bytes, step: bytes, *, threads: int = 0) -> None:
        self._encoder = _open(encoder, threads)
        self._step = _open(step, threads)
        self._state_names = [
            each.name for each in self._encoder.get_outputs() if each.name.startswith("state_")
        ]

    @classmethod
    def load(cls, folder: ModelFolder, precision: Precision, *, threads: int = 0) -> OnnxEngine:
        """The engine over a verified folder; `threads` as above.

        Raises:
            EngineError: if the folder has no graphs of that precision.
            FolderError: if they cannot be run.
        """
        names = GRAPH_FILES[precision]
        if not set(names) <= set(folder.config.sha256):
            raise EngineError(
                f"{folder.path}: has no {precision} graphs ({', '.join(names)}). Write them with "
                "`python -m training export`, or use the keras engine."
            )
        try:
            graphs = ((folder.path / name).read_bytes() for name in names)
            return cls(*graphs, threads=threads)
        except BAD_GRAPH as error:
            raise FolderError(
                f"{folder.path}: {' or '.join(names)} cannot be run. Export them anew. ({error})"
            ) from None

    def encode(self, source_ids: Int32, source_lengths: Int32) -> OnnxState:
        states = []
        for first in range(0, len(source_ids), ENCODED_TOGETHER):
            part = slice(first, first + ENCODED_TOGETHER)
            longest = source_lengths[part].max()
            states.append(self._encode(source_ids[part, :longest], source_lengths[part]))
        return states[0] if len(states) == 1 else self.concatenate(states)

    def _encode(self, source_ids: Int32, source_lengths: Int32) -> OnnxState:
        lengths = at_least(source_lengths.astype(np.int32))
        feeds = {"source_ids": at_least(source_ids), "source_lengths": lengths}
        keys, values, *recurrent = self._encoder.run(["keys", "values", *self._state_names], feeds)
        mask = np.arange(source_ids.shape[1]) < lengths[:, None]
        rows = len(source_ids)
        sources = at_least(np.arange(rows, dtype=np.int32))
        return OnnxState(rows, keys, values, mask, sources, recurrent)

    def step(
        self,
        state: OnnxState,
        parents: Int32,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
    ) -> StepResult:
        if wanted is not None:  # the graphs tell the likeliest only
            result = self.step(state, parents, tokens, EVERY_TOKEN)
            wanted_logprobs = pick(result.tokens, result.logprobs, wanted)
            return replace(
                result,
                tokens=result.tokens[:, :top_k],
                logprobs=result.logprobs[:, :top_k],
                wanted_logprobs=wanted_logprobs,
            )
        rows, parents, tokens = len(parents), at_least(parents), at_least(tokens)
        keys, values, mask, sources = state.keys, state.values, state.mask, state.sources[parents]
        if not np.array_equal(sources, state.sources):
            keys, values, mask = keys[parents], values[parents], mask[parents]
        feeds = {
            "tokens": tokens,
            "parents": parents,
            "top_k": np.array([top_k]),
            "keys": keys,
            "values": values,
            "mask": mask,
            **dict(zip(self._state_names, state.recurrent, strict=True)),
        }
        best, logprobs, attention_weights, *recurrent = self._step.run(None, feeds)
        return StepResult(
            best[:rows],
            logprobs[:rows],
            attention_weights[:rows],
            OnnxState(rows, keys, values, mask, sources, recurrent),
        )

    def concatenate(self, states: list[OnnxState]) -> OnnxState:
        longest = max(state.mask.shape[1] for state in states)
        sources, first = [], 0
        for state in states:
            sources.append(state.sources[: state.rows] + first)
            first += int(state.sources.max()) + 1
        counts = [state.rows for state in states]
        return OnnxState(
            rows=sum(counts),
            keys=_join([_lengthened(state.keys, longest) for state in states], counts),
            values=_join([_lengthened(state.values, longest) for state in states], counts),
            mask=_join([_lengthened(state.mask, longest) for state in states], counts),
            sources=np.concatenate(sources).astype(np.int32),
            recurrent=[
                _join(list(each), counts)
                for each in zip(*(state.recurrent for state in states), strict=True)
            ],
        )


def _open(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Each graph has threads of its own: if they spin, they take the cores from one another.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _join(arrays: list[Any], rows: list[int]) -> Any:
    """The first rows of each, one below the other."""
    return np.concatenate([each[:count] for each, count in zip(arrays, rows, strict=True)])


def _lengthened(array: Any, source_len: int) -> Any:
    """`array` `(rows, source_len, ...)` padded at the right with zeros."""
    missing = source_len - array.shape[1]
    return np.pad(array, [(0, 0), (0, missing), *[(0, 0)] * (array.ndim - 2)]) if missing else array
