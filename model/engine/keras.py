"""The decoding contract over a Keras network, compiled where the backend can.

A compiler that needs all shapes beforehand compiles once for each: so slots, source lengths and
`top_k` are rounded up to a few sizes, and the surplus is cut off again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from model.arrays import resized
from model.contract import StepResult
from model.engine.compiled import compiled, multiplies_bfloat16, prepare_device
from model.errors import FolderError
from model.folder import WEIGHTS_FILE, ModelFolder
from model.layers.decoders import Memory
from model.networks.tokens import PAD_ID, TokenSeq2Seq
from model.types import Array, Bool, Int32, Places, Tensor

#: The fewest rows of a step. A matrix product of one row takes another path than one of several,
#: and rounds differently: a request alone would not get what it gets in a batch.
FEWEST_ROWS = 2

#: The smallest static sizes. Fewer rows would take as long on a GPU.
FEWEST_STATIC_ROWS = 8
SHORTEST_STATIC_SOURCE = 16
FEWEST_STATIC_TOKENS = 8


@dataclass(frozen=True)
class EncodedSources:
    """Sources that were encoded together. Tensors may have surplus rows and source positions.

    Attributes:
        lengths: int32 `(sources,)`.
        memory: the sources, `(at least sources, ...)` each.
        state: the decoder's state, each `(at least sources, ...)`.
    """

    lengths: Int32
    memory: list[Tensor]
    state: list[Tensor]


class StepOutput(NamedTuple):
    """Outputs of a step.

    Attributes:
        found: the fields of `StepResult`, in order, `(rows, ...)`.
        state: the next state.
    """

    found: list[Array]
    state: list[Tensor]


class KerasTable:
    """Slots of a network. See `model.contract.StateTable`.

    Every row has a copy of its source, which is made when the source is inserted.

    Args:
        engine: runs the network.
        width: rows of a slot; with static shapes rounded up to a power of two.
    """

    def __init__(self, engine: KerasEngine, width: int) -> None:
        self._engine = engine
        self._width = engine.static(width)
        self._slots = 0  # that the tensors have
        self._memory: list[Tensor] = []
        self._state: list[Tensor] = []
        self._lengths: Int32 = np.zeros(0, np.int32)  # of the sources, 0 in free slots
        self._read: Int32 = np.zeros(0, np.int32)  # tokens that each slot has read

    def insert(self, slots: Places, encoded: EncodedSources, sources: Places) -> None:
        count = max(len(self._lengths), int(slots.max()) + 1)
        lengths = resized(self._lengths, count).copy()
        lengths[slots] = encoded.lengths[sources]
        rows = resized(self._own_rows, count, self._width).copy()
        rows[slots] = sources[:, None] + self._slots * self._width
        self._arrange(rows, lengths, encoded)
        self._read = resized(self._read, count).copy()
        self._read[slots] = 0

    def move(self, origins: Places, slots: Places) -> None:
        rows, lengths = self._own_rows.copy(), self._lengths.copy()
        rows[slots], lengths[slots] = rows[origins], lengths[origins]
        lengths[origins] = 0
        self._read[slots] = self._read[origins]
        self._arrange(rows, lengths)

    def step(
        self, parents: Int32 | None, tokens: Int32, top_k: int, wanted: Int32 | None = None
    ) -> StepResult:
        count, width = tokens.shape
        if count != len(self._lengths):
            self._arrange(self._own_rows[:count], self._lengths[:count])
        self._read = self._read[:count] + 1
        self._state = self._engine.make_room(self._state, int(self._read.max()))
        shape = self._slots, self._width
        rows = self._own_rows.copy()
        if parents is not None:  # they count rows without those that static shapes add
            slots = np.arange(count)[:, None]
            rows[:count, :width] = parents + slots * (self._width - width)
        named = None
        if wanted is not None:
            n = next_power_of_two(wanted.shape[2])
            named = resized(wanted.clip(min=0), *shape, n).reshape(-1, n)
        output = self._engine.step(
            self._memory, self._state, rows.ravel(), resized(tokens, *shape).ravel(), named, top_k
        )
        self._state = output.state
        by_slot = [each.reshape(*shape, -1)[:count, :width] for each in output.found]
        if wanted is not None:
            by_slot[3] = by_slot[3][:, :, : wanted.shape[2]]
        return StepResult(*by_slot)

    @property
    def _own_rows(self) -> Int32:
        rows = np.arange(self._slots * self._width, dtype=np.int32)
        return rows.reshape(self._slots, self._width)

    def _arrange(self, rows: Int32, lengths: Int32, encoded: EncodedSources | None = None) -> None:
        """Takes `rows` `(slots, width)`, counted through this table and then `encoded`."""
        slots = self._engine.rows(len(rows) * self._width) // self._width
        places = resized(rows[: len(lengths)], slots, self._width).ravel()
        memory, state = self._memory, self._state
        parts = [(memory, state)] * bool(memory)
        if encoded is not None:
            parts.append((encoded.memory, encoded.state))
        source_len = self._engine.source_len(int(lengths.max()))
        self._memory, self._state = self._engine.arrange(parts, places, source_len)
        self._slots, self._lengths = slots, lengths


class KerasEngine:
    """Runs a network. See `model.contract.Engine`.

    Args:
        network: with its weights, which must not change any more.
        has_static_shapes: whether to compile with XLA, once for each of a few sizes. None: on a
            GPU, and on JAX, which knows no other way. PyTorch computes without a compiler.
    """

    has_shortlist = False

    def __init__(self, network: TokenSeq2Seq, *, has_static_shapes: bool | None = None) -> None:
        backend = keras.backend.backend()
        if has_static_shapes is None:
            has_static_shapes = backend == "jax" or (backend == "tensorflow" and prepare_device())
        self._network = network
        self._is_static = has_static_shapes
        if has_static_shapes:
            _use_no_cudnn(network)
        # Kept apart: transposed once, not at every step.
        self._projection = network.projection.matrix()
        build = partial(compiled, network=network, has_static_shapes=has_static_shapes)
        self._encode = build(self._run_encode)
        self._step = build(self._run_step, constants=(6,))
        self._arrange = build(_run_arrange, constants=(2,)) if has_static_shapes else _run_arrange

    @classmethod
    def load(cls, folder: ModelFolder) -> KerasEngine:
        """Builds the engine for a verified folder. Weights are bfloat16 on a GPU where that is
        faster.

        Raises:
            FolderError: if the weights do not fit the network that config.json describes.
        """
        on_gpu = prepare_device()
        is_half = on_gpu and keras.backend.backend() != "torch" and multiplies_bfloat16()
        return cls(load_network(folder, "bfloat16" if is_half else "float32"))

    def encode(
        self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool
    ) -> EncodedSources:
        rows, source_len = source_ids.shape
        shape = self.rows(rows), self.source_len(source_len)
        lengths = resized(source_lengths.astype(np.int32), shape[0])
        lengths[rows:] = 1  # a row without tokens has no numbers
        inside = np.arange(shape[1]) < lengths[:, None]
        padded = np.where(inside, resized(source_ids, *shape), PAD_ID).astype(np.int32)
        memory, state = self._encode(_tensor(padded), _tensor(inside))
        return EncodedSources(lengths[:rows], memory, state)

    def new_table(self, width: int, *, use_shortlist: bool) -> KerasTable:
        return KerasTable(self, width)

    def step(
        self,
        memory: list[Tensor],
        state: list[Tensor],
        parents: Int32,
        tokens: Int32,
        wanted: Int32 | None,
        top_k: int,
    ) -> StepOutput:
        """Takes a step of rows that each have a source and a state, from the state of `parents`
        `(rows,)`; `wanted` is `(rows, n)`."""
        *found, state = self._step(
            memory,
            state,
            _tensor(parents),
            _tensor(tokens),
            None if wanted is None else _tensor(wanted),
            self._projection,
            self._tokens(top_k),
        )
        best, logprobs, *others = (_array(each) for each in found if each is not None)
        return StepOutput([best[:, :top_k], logprobs[:, :top_k], *others], state)

    def arrange(
        self, parts: list[tuple[list[Tensor], list[Tensor]]], rows: Int32, source_len: int
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Returns the memory and the state of `rows`, counted through all `parts`, with sources cut
        or padded to `source_len`."""
        memory, state = self._arrange(parts, _tensor(rows), source_len)
        return list(memory), list(state)

    def make_room(self, state: list[Tensor], steps: int) -> list[Tensor]:
        """Returns `state` with room for the histories of rows that have read `steps` tokens."""
        return self._network.decoder.make_room(state, steps)

    def static(self, size: int) -> int:
        """Returns the static size for `size`."""
        return next_power_of_two(size) if self._is_static else size

    def rows(self, rows: int) -> int:
        """Returns how many rows to compute, for so many at least."""
        return self.static(max(rows, FEWEST_STATIC_ROWS if self._is_static else FEWEST_ROWS))

    def source_len(self, source_len: int) -> int:
        """Returns the length to which sources are padded."""
        return self.static(max(source_len, SHORTEST_STATIC_SOURCE if self._is_static else 1))

    def _tokens(self, top_k: int) -> int:
        least = FEWEST_STATIC_TOKENS if self._is_static else 1
        size = self._network.config.target_vocab_size
        return min(next_power_of_two(max(top_k, least)), size)

    def _run_encode(self, source_ids: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        memory, state = self._network.encode(source_ids, mask)
        return list(memory), state

    def _run_step(
        self,
        memory: list[Tensor],
        state: list[Tensor],
        parents: Tensor,
        tokens: Tensor,
        wanted: Tensor | None,
        projection: Tensor,
        top_k: int,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None, list[Tensor]]:
        continued = [ops.take(each, parents, axis=0) for each in state]
        logits, attention_weights, state = self._network.step(
            tokens, Memory(*memory), continued, projection
        )
        total = ops.logsumexp(logits, axis=-1, keepdims=True)
        best_logits, best = ops.top_k(logits, top_k)
        return (
            ops.cast(best, "int32"),
            best_logits - total,
            ops.cast(attention_weights, "float32"),
            None if wanted is None else ops.take_along_axis(logits, wanted, axis=-1) - total,
            state,
        )


def _run_arrange(
    parts: list[tuple[list[Tensor], list[Tensor]]], rows: Tensor, source_len: int
) -> tuple[list[Tensor], list[Tensor]]:
    memories, states = zip(*parts, strict=True)
    cut = [[each[:, :source_len] for each in memory] for memory in memories]
    memory = [_rows_of(list(each), rows, source_len) for each in zip(*cut, strict=True)]
    return memory, [_rows_of(list(each), rows) for each in zip(*states, strict=True)]


def _rows_of(parts: list[Tensor], rows: Tensor, least: int = 0) -> Tensor:
    """Returns `rows` of all parts, which are padded with zeros to the longest along every axis but
    the first; along the second to `least` as well."""
    sizes = [max(each) for each in zip(*(part.shape[1:] for part in parts), strict=True)]
    if least:
        sizes[0] = max(sizes[0], least)
    padded = []
    for part in parts:
        beyond = [(0, size - own) for size, own in zip(sizes, part.shape[1:], strict=True)]
        padded.append(ops.pad(part, [(0, 0), *beyond]) if any(map(any, beyond)) else part)
    return ops.take(ops.concatenate(padded, axis=0), rows, axis=0)


def load_network(folder: ModelFolder, dtype: str = "float32") -> TokenSeq2Seq:
    """Loads the network of a verified folder.

    Raises:
        FolderError: if the weights do not fit the network that config.json describes.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        network = TokenSeq2Seq(folder.config.network)
    finally:
        keras.config.set_dtype_policy(policy)
    try:
        network.load_weights(folder.path / WEIGHTS_FILE)
    except (ValueError, KeyError, OSError) as error:
        raise FolderError(
            f"{folder.path / WEIGHTS_FILE}: does not fit the network in config.json. "
            f"Export the folder anew. ({error})"
        ) from None
    return network


def next_power_of_two(count: int) -> int:
    """Returns the smallest power of two that is at least `count` >= 1: few sizes, few graphs."""
    return 1 << (count - 1).bit_length()


def _use_no_cudnn(network: TokenSeq2Seq) -> None:
    """Switches cuDNN's recurrent layers off, which XLA cannot compile; it has loops of its own."""
    for layer in network._flatten_layers():
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False


def _array(tensor: Tensor) -> Array:
    return np.asarray(ops.convert_to_numpy(tensor))


def _tensor(array: Array) -> Tensor:
    return ops.convert_to_tensor(array)
