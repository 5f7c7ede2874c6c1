"""The decoding contract over ONNX Runtime, on a CPU. Imports neither Keras nor TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
)

from model.contract import EVERY_TOKEN, Bool, Float32, Int32, Sequel, StepResult, Steps
from model.engine.grid import Grid
from model.engine.memory import NO_TOKEN, Memory
from model.engine.rows import pick
from model.engine.shortlist import Shortlist
from model.engine.step import StepGraph, Taken, open_session
from model.errors import EngineError, FolderError
from model.folder import GRAPH_FILES, SHORTLIST_FILES, ModelFolder

Precision = Literal["float32", "int8"]


#: The most sources that are encoded at a time. The recurrent operator computes padding like tokens,
#: and takes twice as long for twice the rows: a few sources of similar length are fastest.
ENCODED_TOGETHER = 4

#: Errors of the runtime for a file that is no graph, or none that it can run.
BAD_GRAPH = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile)


@dataclass(frozen=True)
class OnnxState:
    """The state that a step continues.

    Attributes:
        memory: the sources.
        grid: the source of each row, and its place.
        recurrent: the decoder's state, each `(lines, width, 1, units)`: rows in the grid.
    """

    memory: Memory
    grid: Grid
    recurrent: list[Float32]


class OnnxEngine:
    """Runs exported graphs. See `model.contract.Engine`.

    Args:
        encoder, step: the graphs, as `python -m training export` writes them.
        shortlist: the graph of a step over candidates only, and their choice; for sources that use
            shortlists.
        threads: threads per operator; 0: one for each core.
    """

    def __init__(
        self,
        encoder: bytes,
        step: bytes,
        *,
        shortlist: tuple[bytes, Shortlist] | None = None,
        threads: int = 0,
    ) -> None:
        self._encoder = open_session(encoder, threads)
        self._step = StepGraph(step, threads)
        self._shortlist = None
        if shortlist is not None:
            graph, self._shortlist = shortlist
            self._short_step = StepGraph(graph, threads)
        self._state_names = [
            each.name for each in self._encoder.get_outputs() if each.name.startswith("state_")
        ]

    @classmethod
    def load(cls, folder: ModelFolder, precision: Precision, *, threads: int = 0) -> OnnxEngine:
        """Builds the engine for a verified folder; `threads` as above.

        Raises:
            EngineError: if the folder has no graphs of that precision.
            FolderError: if they cannot be run.
        """
        names: tuple[str, ...] = GRAPH_FILES[precision]
        if not set(names) <= set(folder.config.sha256):
            raise EngineError(
                f"{folder.path}: has no {precision} graphs ({', '.join(names)}). Write them with "
                "`python -m training export`, or use the keras engine."
            )
        if precision == "int8" and set(SHORTLIST_FILES) <= set(folder.config.sha256):
            names = (*names, *SHORTLIST_FILES)
        encoder, step, *short = ((folder.path / name).read_bytes() for name in names)
        try:
            shortlist = (short[0], Shortlist.from_bytes(short[1])) if short else None
            return cls(encoder, step, shortlist=shortlist, threads=threads)
        except (*BAD_GRAPH, FolderError) as error:
            raise FolderError(
                f"{folder.path}: {' or '.join(names)} cannot be run. Export them anew. ({error})"
            ) from None

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> OnnxState:
        parts, rows = [], len(source_ids)
        count = -(-rows // ENCODED_TOGETHER)
        ends = [rows * place // count for place in range(count + 1)]  # 2 and 3, not 4 and 1
        for first, end in itertools.pairwise(ends):
            lengths = source_lengths[first:end]
            parts.append(self._encode(source_ids[first:end, : lengths.max()], lengths))
        memories, states = zip(*parts, strict=True)
        memory = Memory.join(list(memories))
        if self._shortlist is not None:
            found = self._shortlist.candidates(source_ids, source_lengths, use_shortlist)
            memory = replace(memory, candidates=found)
        recurrent = [_joined(each) for each in zip(*states, strict=True)]
        return OnnxState(memory, Grid.of_sources(rows), recurrent)

    def _encode(self, source_ids: Int32, source_lengths: Int32) -> tuple[Memory, list[Float32]]:
        feeds = {"source_ids": source_ids, "source_lengths": source_lengths.astype(np.int32)}
        names = ["keys", "values", *self._state_names]
        keys, values, *recurrent = self._encoder.run(names, feeds)
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
        return self._step_once(self._follow(state, parents), tokens, top_k)

    def _step_once(self, followed: OnnxState, tokens: Int32, top_k: int) -> StepResult:
        """Takes one step of rows that `_follow` has arranged."""
        memory, grid, recurrent = followed.memory, followed.grid, followed.recurrent
        taken = self._take_step(memory, grid.spread(tokens)[..., None], recurrent, top_k)
        return StepResult(
            grid.collect(taken.best),
            grid.collect(taken.logprobs),
            grid.collect(taken.attention_weights[:, :, 0]),
            OnnxState(memory, grid, taken.recurrent),
        )

    def step_ahead(self, state: OnnxState, sequel: Sequel) -> Steps:
        parents, tokens, top_k, totals, most_steps = sequel
        followed = self._follow(state, parents)
        memory, grid, recurrent = followed.memory, followed.grid, followed.recurrent
        if most_steps == 1 or grid.shape != (1, len(tokens)):
            return Steps.of_one(self._step_once(followed, tokens, top_k))
        candidates = memory.candidates
        is_short = candidates is not None and candidates.are_all_used
        graph = self._short_step if is_short else self._step
        taken, parents_between, tokens_between = graph.take_ahead(
            memory, tokens[None, :, None], recurrent, top_k, totals.astype(np.float32), most_steps
        )

        def state_after(step: int) -> OnnxState:
            return OnnxState(memory, grid, [each[None, step] for each in taken.recurrent])

        return Steps(
            taken.best,
            taken.logprobs,
            taken.attention_weights[:, :, 0],
            parents_between,
            tokens_between,
            state_after,
        )

    def _follow(self, state: OnnxState, parents: Int32) -> OnnxState:
        """Returns the state of rows that continue `parents`."""
        memory, grid, recurrent = state.memory, state.grid, state.recurrent
        if not memory.is_current:
            raise ValueError("a state that was joined with others cannot be used again")
        if grid.is_continued_by(parents):
            return state
        grid, lines, places = grid.follow(parents)
        if places is not None:
            recurrent = [
                each.reshape(-1, each.shape[-1])[places].reshape(*grid.shape, 1, -1)
                for each in recurrent
            ]
        if lines is not None:
            memory = Memory.join_some([memory], lines)
        return OnnxState(memory, grid, recurrent)

    def _wanted(self, state: OnnxState, parents: Int32, tokens: Int32, wanted: Int32) -> Float32:
        """Returns the log-probabilities of `wanted`. The graphs return the likeliest tokens only:
        rows that want others take a step of their own with a top_k of the whole vocabulary. That is
        slow, but takes little time if they are few."""
        logprobs = np.full(wanted.shape, -np.inf, np.float32)
        rows = np.flatnonzero((wanted >= 0).any(axis=1))
        if rows.size:
            every = self.step(state, parents[rows], tokens[rows], EVERY_TOKEN)
            logprobs[rows] = pick(every.tokens, every.logprobs, wanted[rows])
        return logprobs

    def join(self, state: OnnxState, parents: Int32, newcomers: OnnxState) -> OnnxState:
        state = self._follow(state, parents)
        lines = state.grid.room_for(len(newcomers.grid.origins))
        pairs = list(zip(state.recurrent, newcomers.recurrent, strict=True))
        is_wide = newcomers.grid.width <= state.grid.width
        if is_wide and state.memory.has_room_for(newcomers.memory, lines):
            grid = state.grid.add(newcomers.grid, lines)
            recurrent = [grid.extended(old, newcomers.grid.collect(new)) for old, new in pairs]
            return OnnxState(state.memory.add(newcomers.memory, lines), grid, recurrent)
        grid, lines = Grid.join([state.grid, newcomers.grid])
        rows = [(state.grid.collect(old), newcomers.grid.collect(new)) for old, new in pairs]
        recurrent = [grid.spread(np.concatenate(each)) for each in rows]
        memory = Memory.join_some([state.memory, newcomers.memory], lines)
        return OnnxState(memory, grid, recurrent)

    def _take_step(
        self, memory: Memory, tokens: Int32, recurrent: list[Float32], top_k: int
    ) -> Taken:
        """Takes one step, in the grid of `tokens` `(lines, width, 1)`."""
        candidates = memory.candidates
        if candidates is None or candidates.are_none_used:
            return self._step.take(memory, tokens, recurrent, top_k)
        if candidates.are_all_used:
            return self._short_step.take(memory, tokens, recurrent, top_k)
        taken = [
            self._take_step(own, tokens[places], [each[places] for each in recurrent], top_k)
            for places, own in memory.parts
        ]
        order = np.argsort(np.concatenate([places for places, _ in memory.parts]))
        return Taken.side_by_side(taken, order)


def _joined(parts: Sequence[Float32]) -> Float32:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
