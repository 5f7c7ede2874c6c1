"""The decoding contract over ONNX Runtime, on a CPU. Imports neither Keras nor TensorFlow."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
)

from model.contract import Limits, StepResult, as_slice, resized
from model.engine.cores import usable_cores
from model.engine.memory import EncodedSources, SourceMemory
from model.engine.shortlist import Shortlist, ShortlistColumns
from model.errors import EngineError, FolderError
from model.folder import GRAPH_FILES, GRAPH_FORMAT, SHORTLIST_FILES, ModelFolder
from model.types import Array, Bool, Float32, Indices, Int32

Precision = Literal["float32", "int8"]


#: Maximum number of sources that are encoded at a time. The recurrent operator computes padding
#: like tokens and takes twice as long for twice the rows, so that a few sources of similar length
#: are fastest.
ENCODER_BATCH_SIZE = 4

#: Greedy search with at least this many rows, over at most this vocabulary, multiplies by the whole
#: vocabulary and gathers the candidates, which is faster than copying the columns of new requests.
#: A beam reuses its copies so often that they pay off.
MIN_GATHER_ROWS, MAX_GATHER_VOCAB = 8, 8_000

#: Errors of the runtime for a file that is not a graph, or not one that it can run.
GRAPH_ERRORS = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile)


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


class OnnxTable:
    """Slots of a step graph. See `model.contract.StateTable`."""

    def __init__(self, graph: StepGraph, width: int) -> None:
        self._graph = graph
        self._width = width
        self._memory = SourceMemory([name for name in graph.memory_names if name != "columns"])
        self._state: list[Float32] = []  # each `(slots, width, steps, units)`
        self._tokens_read: Int32 = np.zeros(0, np.int32)  # per slot
        self._feeds: dict[str, Array] = {}  # of the last step; empty after a change of the slots
        self._top_k = 0

    def insert(self, slots: Indices, encoded: list[EncodedSources], sources: Indices) -> None:
        parts = list(_select(encoded, sources))
        count = max(len(self._state[0]) if self._state else 0, int(slots.max()) + 1)
        grown = []
        for place, like in enumerate(encoded[0].state):
            own = self._state[place] if self._state else like[:0]
            grown.append(resized(own, count, self._width, *own.shape[2:]))
        self._memory.insert(slots, parts)
        first = 0
        for part, rows in parts:
            own = as_slice(slots[first : first + len(rows)])
            first += len(rows)
            for array, new in zip(grown, part.state, strict=True):
                array[own, :, : new.shape[2]] = new[rows]  # all rows of a slot start equal
        self._tokens_read = resized(self._tokens_read, count).copy()
        self._tokens_read[slots] = 0
        self._state, self._feeds = grown, {}

    def move(self, origins: Indices, slots: Indices) -> None:
        self._memory.move(origins, slots)
        for state in self._state:
            state[slots] = state[origins]
        self._tokens_read[slots] = self._tokens_read[origins]
        self._feeds = {}

    def free(self, slots: Indices) -> None:
        self._memory.lengths[slots] = self._tokens_read[slots] = 0

    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        count, state = len(tokens), self._state
        if len(state[0]) != count:
            state = [each[:count] for each in state]
            self._feeds = {}
        if parents is not None:
            state = [each.reshape(-1, *each.shape[2:])[parents] for each in state]
        if self._graph.has_history:
            self._tokens_read = self._tokens_read[:count] + (self._memory.lengths[:count] > 0)
            state = self._graph.allocate_cache(state, int(self._tokens_read.max()))
        if not self._feeds:
            self._feeds = self._new_feeds(self._memory.first(count))
            self._top_k = 0
        feeds = self._feeds
        feeds["tokens"] = tokens[:, :, None]
        feeds.update(zip(self._graph.state_names, state, strict=True))
        if top_k != self._top_k:
            feeds["top_k"] = np.array([min(top_k, self._graph.max_top_k)])
            self._top_k = top_k
        result, self._state = self._graph.run(feeds, wanted, with_attention=with_attention)
        return result

    def _new_feeds(self, memory: dict[str, Array]) -> dict[str, Array]:
        """Builds the feeds of all steps until the slots change."""
        return self._graph.new_feeds(memory, self._width)


class ShortlistTable(OnnxTable):
    """Slots of the step graphs over candidates.

    Args:
        shortlist: chooses the candidates.
        open_few_rows, open_many_rows: return the graph for few rows, and that for many.
        width: rows per slot.
    """

    def __init__(
        self,
        shortlist: Shortlist,
        open_few_rows: Callable[[], StepGraph],
        open_many_rows: Callable[[], StepGraph],
        width: int,
    ) -> None:
        super().__init__(open_few_rows(), width)
        self._open_few_rows, self._open_many_rows = open_few_rows, open_many_rows
        self._columns = ShortlistColumns(shortlist)
        self._may_gather = width == 1 and len(shortlist.frequent) <= MAX_GATHER_VOCAB

    def insert(self, slots: Indices, encoded: list[EncodedSources], sources: Indices) -> None:
        super().insert(slots, encoded, sources)
        self._columns.invalidate(slots)

    def move(self, origins: Indices, slots: Indices) -> None:
        super().move(origins, slots)
        self._columns.invalidate(slots)

    def _new_feeds(self, memory: dict[str, Array]) -> dict[str, Array]:
        is_many = self._may_gather and len(memory["padding"]) * self._width >= MIN_GATHER_ROWS
        self._graph = self._open_many_rows() if is_many else self._open_few_rows()
        if not is_many:
            memory["columns"] = self._columns.columns_for(memory["candidates"])
        return super()._new_feeds(memory)


class OnnxEngine:
    """Runs exported graphs. See `model.contract.Engine`.

    Args:
        encoder, step: the graphs, as written by `python -m training export`.
        shortlist: the files of `SHORTLIST_FILES`, for sources that use shortlists.
        threads: threads per operator; 0: one per core.

    Raises:
        InvalidGraph: if a graph has another format, or the graphs are of different networks.
        FolderError: if the shortlist cannot be read.
    """

    compilations = 0

    def __init__(
        self,
        encoder: bytes,
        step: bytes,
        *,
        shortlist: tuple[bytes, ...] | None = None,
        threads: int = 0,
    ) -> None:
        session = open_session(encoder, threads)
        self._run_encoder = session._sess.run  # `session` also holds the file
        self._threads = threads
        choice, *short = shortlist or (None,)
        self._shortlist = None if choice is None else Shortlist.from_bytes(choice)
        self.has_shortlist = choice is not None
        self._files = [step, *short]
        self._graphs: dict[int, StepGraph] = {}
        first = self._graph(1 if short else 0)  # the one that most requests need
        shapes = {each.name: each.shape for each in session.get_outputs()}
        states = [name for name in shapes if name.startswith("state_")]
        if [shapes[name][-1] for name in states] != first.state_sizes:
            raise InvalidGraph("the encoder is of another network than the step")
        self._outputs = ["keys", "values", *states]

    @classmethod
    def load(cls, folder: ModelFolder, precision: Precision, *, threads: int = 0) -> OnnxEngine:
        """Builds the engine for a verified folder.

        Raises:
            EngineError: if the folder has no graphs of this precision.
            FolderError: if they cannot be run.
        """
        names: tuple[str, ...] = GRAPH_FILES[precision]
        if not set(names) <= set(folder.sha256):
            raise EngineError(
                f"{folder.path}: has no {precision} graphs ({', '.join(names)}). Write them with "
                "`python -m seq2seq export RECIPE`, or use the keras engine."
            )
        if precision == "int8" and set(SHORTLIST_FILES) <= set(folder.sha256):
            names = (*names, *SHORTLIST_FILES)
        encoder, step, *short = ((folder.path / name).read_bytes() for name in names)
        try:
            return cls(encoder, step, shortlist=tuple(short) or None, threads=threads)
        except (*GRAPH_ERRORS, FolderError) as error:
            raise FolderError(
                f"{folder.path}: {' or '.join(names)} cannot be run. Export them again. ({error})"
            ) from None

    def warm_up(self, limits: Limits) -> None:
        """Does nothing: a graph accepts all sizes."""

    def encode(
        self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool
    ) -> list[EncodedSources]:
        rows = len(source_ids)
        count = -(-rows // ENCODER_BATCH_SIZE)
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
        keys, values, *state = self._run_encoder(self._outputs, feeds, None)
        arrays = {"keys": keys, "values": values}
        if self._shortlist is not None and use_shortlist.any():
            arrays |= self._shortlist.candidates(ids, lengths)
        return EncodedSources(lengths, arrays, state)

    def new_table(self, width: int, *, use_shortlist: bool) -> OnnxTable:
        if not use_shortlist or self._shortlist is None:
            return OnnxTable(self._graph(0), width)
        return ShortlistTable(
            self._shortlist, partial(self._graph, 1), partial(self._graph, 2), width
        )

    def _graph(self, place: int) -> StepGraph:
        """Returns a step graph, which is opened when needed, as each takes some ten megabytes."""
        if place not in self._graphs:
            self._graphs[place] = StepGraph(self._files[place], self._threads)
            self._files[place] = b""
        return self._graphs[place]


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


def _select(
    encoded: list[EncodedSources], sources: Indices
) -> Iterator[tuple[EncodedSources, Indices]]:
    """Yields the parts that contain some of `sources`, which are ascending and numbered across all
    parts, and their rows in each part; a source may occur several times."""
    first, are_all = 0, np.array_equal(sources, np.arange(sum(map(len, encoded))))
    for part in encoded:
        if are_all:
            yield part, np.arange(len(part))
            continue
        rows = sources[(sources >= first) & (sources < first + len(part))] - first
        if rows.size:
            yield part, rows
        first += len(part)
