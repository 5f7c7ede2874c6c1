"""The decoding contract over ONNX Runtime, on a CPU. Imports neither Keras nor TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
)

from model.arrays import resized
from model.contract import StepResult
from model.engine.memory import EncodedSources, SourceMemory
from model.engine.shortlist import Shortlist, ShortlistColumns
from model.engine.step_graph import StepGraph, open_session
from model.errors import EngineError, FolderError
from model.folder import GRAPH_FILES, SHORTLIST_FILES, ModelFolder
from model.types import Array, Bool, Float32, Int32, Places

Precision = Literal["float32", "int8"]


#: The most sources that are encoded at a time. The recurrent operator computes padding like tokens,
#: and takes twice as long for twice the rows: a few sources of similar length are fastest.
ENCODED_TOGETHER = 4

#: Rows of a greedy search from which on, and vocabularies up to which, the whole vocabulary is
#: multiplied and the candidates are gathered: that takes less time than to copy the columns of new
#: requests. A beam uses its copies so many times that they pay.
MANY_ROWS, MOST_GATHERED = 8, 8_000

#: Errors of the runtime for a file that is no graph, or none that it can run.
BAD_GRAPH = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile)


class OnnxTable:
    """Slots of a step graph. See `model.contract.StateTable`."""

    def __init__(self, graph: StepGraph, width: int) -> None:
        self._graph = graph
        self._width = width
        self._memory = SourceMemory(graph.memory_names)
        self._stepped: dict[str, Array] = {}  # the memory of the slots that were stepped last
        self._state: list[Float32] = []  # each `(slots, width, 1, units)`

    def insert(self, slots: Places, encoded: list[EncodedSources], sources: Places) -> None:
        parts = list(_select(encoded, sources))
        by_part = [[each[rows] for each in part.state] for part, rows in parts]
        states = [np.concatenate(each) for each in zip(*by_part, strict=True)]
        if not self._state:
            self._state = [np.zeros((0, self._width, *new.shape[2:]), new.dtype) for new in states]
        count = max(len(self._state[0]), int(slots.max()) + 1)
        grown = [resized(each, count, *each.shape[1:]) for each in self._state]
        self._memory.insert(slots, parts)
        for state, new in zip(grown, states, strict=True):
            state[slots] = new  # every row of a slot begins alike
        self._state, self._stepped = grown, {}

    def move(self, origins: Places, slots: Places) -> None:
        self._memory.move(origins, slots)
        for state in self._state:
            state[slots] = state[origins]
        self._stepped = {}

    def step(
        self, parents: Int32 | None, tokens: Int32, top_k: int, wanted: Int32 | None = None
    ) -> StepResult:
        count, state = len(tokens), self._state
        if len(state[0]) != count:
            state = [each[:count] for each in state]
            self._stepped = {}
        if parents is not None:
            state = [each.reshape(-1, each.shape[-1])[parents][:, :, None] for each in state]
        if not self._stepped:
            self._stepped = self._memory.first(count)
            self._graph = self._choose_graph(count * self._width)
        output = self._graph.run(self._stepped, tokens, state, top_k, wanted)
        self._state = output.state
        return output.result

    def _choose_graph(self, rows: int) -> StepGraph:
        """Returns the graph for so many rows."""
        return self._graph


class ShortlistTable(OnnxTable):
    """Slots of the step graphs over candidates.

    Args:
        shortlist: their choice.
        graphs: for few rows, and for many.
        width: rows of each slot.
    """

    def __init__(
        self, shortlist: Shortlist, graphs: tuple[StepGraph, StepGraph], width: int
    ) -> None:
        self._few, self._many = graphs
        super().__init__(self._many, width)
        self._columns = ShortlistColumns(shortlist)
        self._may_gather = width == 1 and len(shortlist.frequent) <= MOST_GATHERED

    def insert(self, slots: Places, encoded: list[EncodedSources], sources: Places) -> None:
        super().insert(slots, encoded, sources)
        self._columns.forget(slots)

    def move(self, origins: Places, slots: Places) -> None:
        super().move(origins, slots)
        self._columns.forget(slots)

    def _choose_graph(self, rows: int) -> StepGraph:
        if self._may_gather and rows >= MANY_ROWS:
            return self._many
        self._stepped["columns"] = self._columns.of(self._stepped["candidates"])
        return self._few


class OnnxEngine:
    """Runs exported graphs. See `model.contract.Engine`.

    Args:
        encoder, step: the graphs, as `python -m training export` writes them.
        shortlist: the files of `SHORTLIST_FILES`, for sources that use shortlists.
        threads: threads per operator; 0: one for each core.

    Raises:
        InvalidGraph: if another release wrote a graph.
        FolderError: if the shortlist cannot be read.
    """

    def __init__(
        self,
        encoder: bytes,
        step: bytes,
        *,
        shortlist: tuple[bytes, ...] | None = None,
        threads: int = 0,
    ) -> None:
        self._encoder = open_session(encoder, threads)
        self._step = StepGraph(step, threads)
        self._shortlist = None
        self.has_shortlist = shortlist is not None
        if shortlist is not None:
            choice, few, many = shortlist
            self._shortlist = Shortlist.from_bytes(choice)
            self._short_steps = StepGraph(few, threads), StepGraph(many, threads)
        names = [each.name for each in self._encoder.get_outputs()]
        self._outputs = ["keys", "values", *(name for name in names if name.startswith("state_"))]

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
            return cls(encoder, step, shortlist=tuple(short) or None, threads=threads)
        except (*BAD_GRAPH, FolderError) as error:
            raise FolderError(
                f"{folder.path}: {' or '.join(names)} cannot be run. Export them anew. ({error})"
            ) from None

    def encode(
        self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool
    ) -> list[EncodedSources]:
        rows = len(source_ids)
        count = -(-rows // ENCODED_TOGETHER)
        ends = [rows * place // count for place in range(count + 1)]  # 2 and 3, not 4 and 1
        return [
            self._encode(source_ids[own], source_lengths[own], use_shortlist[own])
            for own in itertools.starmap(slice, itertools.pairwise(ends))
        ]

    def _encode(
        self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool
    ) -> EncodedSources:
        lengths = source_lengths.astype(np.int32)
        ids = source_ids[:, : lengths.max()]
        feeds = {"source_ids": ids, "source_lengths": lengths}
        keys, values, *state = self._encoder.run(self._outputs, feeds)
        arrays = {"keys": keys, "values": values}
        if self._shortlist is not None and use_shortlist.any():
            arrays |= self._shortlist.candidates(ids, lengths)
        return EncodedSources(lengths, arrays, state)

    def new_table(self, width: int, *, use_shortlist: bool) -> OnnxTable:
        if use_shortlist and self._shortlist is not None:
            return ShortlistTable(self._shortlist, self._short_steps, width)
        return OnnxTable(self._step, width)


def _select(
    encoded: list[EncodedSources], sources: Places
) -> Iterator[tuple[EncodedSources, Places]]:
    """Yields the parts of which some `sources` are, ascending and counted through all, and the rows
    of these."""
    first = 0
    for part in encoded:
        rows = sources[(sources >= first) & (sources < first + len(part))] - first
        if rows.size:
            yield part, rows
        first += len(part)
