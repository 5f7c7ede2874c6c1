"""The decoding contract over ONNX Runtime, on a CPU. Imports neither Keras nor TensorFlow."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
)

from model.arrays import padded
from model.contract import EVERY_TOKEN, Bool, Float32, Int32, StepResult
from model.engine.grid import Grid
from model.engine.memory import NO_TOKEN, Memory
from model.engine.rows import at_least, pick
from model.engine.shortlist import Shortlist
from model.errors import EngineError, FolderError
from model.folder import GRAPH_FILES, SHORTLIST_FILES, ModelFolder

Precision = Literal["float32", "int8"]


#: Sources that the encoder reads at a time. Its recurrent operator computes padding as it computes
#: tokens and takes twice as long for twice the rows: few of like length are read soonest.
ENCODED_TOGETHER = 4

#: What the runtime raises for a file that is no graph, or none that it can run.
BAD_GRAPH = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile)


@dataclass(frozen=True)
class OnnxState:
    """What a step continues.

    Attributes:
        memory: the sources.
        grid: which row reads which source, and where it stands.
        recurrent: the decoder's state, each `(sources, rows of each, 1, units)`: rows in the grid.
    """

    memory: Memory
    grid: Grid
    recurrent: list[Float32]


class OnnxEngine:
    """Runs exported graphs. See `model.contract.Engine`.

    Args:
        encoder, step: the graphs, as `python -m training export` writes them.
        shortlist: the step among candidates only, and what picks them; for those sources that want
            no more.
        threads: how many work on one operator; 0: one for each core.
    """

    def __init__(
        self,
        encoder: bytes,
        step: bytes,
        *,
        shortlist: tuple[bytes, Shortlist] | None = None,
        threads: int = 0,
    ) -> None:
        self._encoder = _open(encoder, threads)
        self._step = _Step(step, threads)
        self._shortlist = None
        if shortlist is not None:
            graph, self._shortlist = shortlist
            self._short_step = _Step(graph, threads)
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
        graphs = [(folder.path / name).read_bytes() for name in names]
        shortlist = None
        if precision == "int8" and set(SHORTLIST_FILES) <= set(folder.config.sha256):
            graph, stored = ((folder.path / name).read_bytes() for name in SHORTLIST_FILES)
            shortlist = graph, Shortlist.from_bytes(stored)
        try:
            return cls(*graphs, shortlist=shortlist, threads=threads)
        except BAD_GRAPH as error:
            raise FolderError(
                f"{folder.path}: {' or '.join(names)} cannot be run. Export them anew. ({error})"
            ) from None

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> OnnxState:
        parts = []
        for first in range(0, len(source_ids), ENCODED_TOGETHER):
            part = slice(first, first + ENCODED_TOGETHER)
            longest = source_lengths[part].max()
            parts.append(self._encode(source_ids[part, :longest], source_lengths[part]))
        memories, states = zip(*parts, strict=True)
        memory = Memory.join(list(memories))
        if self._shortlist is not None:
            found = self._shortlist.candidates(source_ids, source_lengths, use_shortlist)
            memory = replace(memory, candidates=found)
        recurrent = [np.concatenate(each) for each in zip(*states, strict=True)]
        return OnnxState(memory, Grid.of_sources(len(source_ids)), recurrent)

    def _encode(self, source_ids: Int32, source_lengths: Int32) -> tuple[Memory, list[Float32]]:
        rows = len(source_ids)
        feeds = {
            "source_ids": at_least(source_ids),
            "source_lengths": at_least(source_lengths.astype(np.int32)),
        }
        names = ["keys", "values", *self._state_names]
        keys, values, *recurrent = (each[:rows] for each in self._encoder.run(names, feeds))
        is_padding = np.arange(source_ids.shape[1]) >= source_lengths[:, None]
        padding = np.where(is_padding, np.float32(NO_TOKEN), np.float32(0))[:, None, None]
        return Memory(keys, values, padding, None), recurrent

    def step(
        self,
        state: OnnxState,
        parents: Int32,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
    ) -> StepResult:
        if wanted is not None:
            result = self.step(state, parents, tokens, top_k)
            return replace(result, wanted_logprobs=self._wanted(state, parents, tokens, wanted))
        memory, grid, recurrent = state.memory, state.grid, state.recurrent
        if not grid.is_continued_by(parents):
            grid, lines, places = grid.follow(parents)
            if places is not None:
                recurrent = [
                    each.reshape(-1, each.shape[-1])[places].reshape(*grid.shape, 1, -1)
                    for each in recurrent
                ]
            if lines is not None:
                memory = memory.take(lines)
        taken = self._take_step(memory, grid.spread(tokens)[..., None], recurrent, top_k)
        best, logprobs, attention_weights, *recurrent = taken
        return StepResult(
            grid.collect(best),
            grid.collect(logprobs),
            grid.collect(attention_weights[:, :, 0]),
            OnnxState(memory, grid, recurrent),
        )

    def _wanted(self, state: OnnxState, parents: Int32, tokens: Int32, wanted: Int32) -> Float32:
        """The graphs tell the likeliest only: rows that want others take a step of their own, in
        which all are told. It is slow, but short where they are few."""
        logprobs = np.full(wanted.shape, -np.inf, np.float32)
        rows = np.flatnonzero((wanted >= 0).any(axis=1))
        if rows.size:
            every = self.step(state, parents[rows], tokens[rows], EVERY_TOKEN)
            logprobs[rows] = pick(every.tokens, every.logprobs, wanted[rows])
        return logprobs

    def concatenate(self, states: list[OnnxState]) -> OnnxState:
        first, *others = states
        if len(others) == 1 and self._fits(first, others[0]):
            return self._added(first, others[0])
        grid, lines = Grid.join([state.grid for state in states])
        rows = [[state.grid.collect(each) for each in state.recurrent] for state in states]
        return OnnxState(
            Memory.join_some([state.memory for state in states], lines),
            grid,
            [grid.spread(np.concatenate(each)) for each in zip(*rows, strict=True)],
        )

    def _fits(self, state: OnnxState, more: OnnxState) -> bool:
        return state.grid.width == more.grid.width and state.memory.has_room_for(more.memory)

    def _added(self, state: OnnxState, more: OnnxState) -> OnnxState:
        """Both, without a copy of the first's sources."""
        pairs = zip(state.recurrent, more.recurrent, strict=True)
        return OnnxState(
            state.memory.add(more.memory),
            state.grid.add(more.grid),
            [np.concatenate(pair) for pair in pairs],
        )

    def _take_step(
        self, memory: Memory, tokens: Int32, recurrent: list[Float32], top_k: int
    ) -> list[NDArray[Any]]:
        """Best tokens, logprobs, attention weights and the next state, in the grid of `tokens`
        `(lines, width, 1)`."""
        candidates = memory.candidates
        if candidates is None or candidates.are_none_used:
            return self._step(memory, tokens, recurrent, top_k)
        if candidates.are_all_used:
            return self._short_step(memory, tokens, recurrent, top_k)
        parts = [np.flatnonzero(candidates.is_used), np.flatnonzero(~candidates.is_used)]
        taken = [
            self._take_step(memory.take(p), tokens[p], [each[p] for each in recurrent], top_k)
            for p in parts
        ]
        order = np.argsort(np.concatenate(parts))
        return [np.concatenate(_equally_deep(each))[order] for each in zip(*taken, strict=True)]


class _Step:
    """A step graph: of the whole vocabulary, or of candidates."""

    def __init__(self, graph: bytes, threads: int) -> None:
        self._session = _open(graph, threads)
        notes = self._session.get_modelmeta().custom_metadata_map
        if "vocab_size" not in notes:
            raise InvalidGraph("an older release wrote the step")
        self._vocab_size = int(notes["vocab_size"])
        self._fewest_rows = int(notes["fewest_rows"])
        self._is_short = any(each.name == "columns" for each in self._session.get_inputs())
        names = (each.name for each in self._session.get_outputs())
        next_names = [name for name in names if name.startswith("next_")]
        self._state_names = [name.removeprefix("next_") for name in next_names]
        self._names = ["best", "logprobs", "attention_weights", *next_names]

    def __call__(
        self, memory: Memory, tokens: Int32, recurrent: list[Float32], top_k: int
    ) -> list[NDArray[Any]]:
        """See `OnnxEngine._take_step`."""
        is_too_small = tokens.size < self._fewest_rows
        if is_too_small:
            tokens, *recurrent = (np.repeat(each, 2, axis=1) for each in (tokens, *recurrent))
        feeds = {
            "tokens": tokens,
            "keys": memory.keys,
            "values": memory.values,
            "padding": memory.padding,
            **dict(zip(self._state_names, recurrent, strict=True)),
        }
        candidates = memory.candidates if self._is_short else None
        if candidates is None:
            feeds["top_k"] = np.array([min(top_k, self._vocab_size)])
            places, *others = self._session.run(self._names, feeds)
            best = places.astype(np.int32)
        else:
            feeds |= {
                "columns": candidates.columns,
                "scales": candidates.scales,
                "bias": candidates.bias,
                "top_k": np.array([min(top_k, candidates.tokens.shape[1])]),
            }
            places, *others = self._session.run(self._names, feeds)
            best = candidates.tokens[candidates.lines, places]
        results = [best, *others]
        return [each[:, :1] for each in results] if is_too_small else results


def _equally_deep(parts: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Arrays `(lines, width, k, ...)`, those of a smaller k filled with what nothing chooses."""
    deepest = max(each.shape[2] for each in parts)
    filling = -np.inf if parts[0].dtype == np.float32 else 0
    return [_padded(each, 2 - each.ndim, deepest - each.shape[2], filling) for each in parts]


def _open(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Each graph has threads of its own: if they spin, they take the cores from one another.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _padded(array: NDArray[Any], axis: int, missing: int, filling: float) -> NDArray[Any]:
    """`array` with `missing` more places at the end of an axis that counts from the last."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, missing)
    return padded(array, widths, filling)
