"""The decoding contract over a Keras network, compiled if the backend has a compiler.

A compiler with static shapes compiles one program per combination of shapes. So there are only a
few sizes, and few programs depend on two of them:

    encode  sources, source length  to tensors with room for the longest source and history
    place   sources, rows           copies them to a table, or a table to one of another size
    merge   rows                    replaces some rows of a table
    step    rows, source length     reads only as much of the tensors, and of histories if there
            (, tokens read)         are any, as the rows in use need
    rank    rows, top_k             if the candidates of the step itself are too few

`warm_up` runs each of them in all sizes within the limits. A step copies one array to the device
and one back.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
from keras import ops

from model.contract import Limits, StepResult, resized
from model.engine.compiled import (
    compiled,
    enable_compilation_cache,
    has_fast_bfloat16,
    prepare_device,
)
from model.engine.sizes import round_up, sizes_up_to
from model.errors import FolderError
from model.folder import WEIGHTS_FILE, ModelFolder
from model.layers.decoders import Memory
from model.networks.tokens import PAD_ID, TokenSeq2Seq
from model.types import Array, Bool, Indices, Int32, Tensor

#: Minimum number of rows of a step. Matrix products with a single row use another kernel, which
#: rounds differently: a request alone would not get the same answer as in a batch.
MIN_ROWS = 2

#: Numbers of likeliest tokens and of wanted tokens whose log-probabilities every step returns.
DEFAULT_TOP_K, WANTED_CHUNK = 16, 16

#: Number of memory tensors of a table. The tensors of its state follow.
MEMORY_SIZE = len(Memory._fields)


@dataclass(frozen=True)
class EncodedSources:
    """Sources that were encoded together.

    Attributes:
        lengths: int32 `(sources,)`.
        tensors: memory and decoder state, each `(at least sources, ...)`.
    """

    lengths: Int32
    tensors: list[Tensor]


class KerasTable:
    """Slots of a network. See `model.contract.StateTable`.

    Every row has its own copy of its source, made when the source is inserted.
    """

    def __init__(self, engine: KerasEngine, width: int) -> None:
        self._engine = engine
        self._width = width
        self._tensors: list[Tensor] = []  # memory and state, `(at least slots * width, ...)`
        self._lengths: Int32 = np.zeros(0, np.int32)  # of the sources, 0 in free slots
        self._read: Int32 = np.zeros(0, np.int32)  # tokens that each slot has read

    def insert(self, slots: Indices, encoded: EncodedSources, sources: Indices) -> None:
        count = max(len(self._lengths), int(slots.max()) + 1)
        lengths, read = (resized(each, count).copy() for each in (self._lengths, self._read))
        lengths[slots], read[slots] = encoded.lengths[sources], 0
        places = np.full((count, self._width), -1)
        places[slots] = sources[:, None]
        self._tensors = self._engine.insert(
            self._tensors, encoded.tensors, places.ravel(), int(lengths.max())
        )
        self._lengths, self._read = lengths, read

    def move(self, origins: Indices, slots: Indices) -> None:
        places = np.arange(len(self._lengths) * self._width).reshape(-1, self._width)
        places[slots] = places[origins]
        self._tensors = self._engine.place(self._tensors, places.ravel(), int(self._lengths.max()))
        for array in (self._lengths, self._read):
            array[slots] = array[origins]
        self.free(origins)

    def free(self, slots: Indices) -> None:
        self._lengths[slots] = self._read[slots] = 0

    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        self._lengths = self._lengths[: len(tokens)]
        self._read = self._read[: len(tokens)] + (self._lengths > 0)
        longest, read = int(self._lengths.max()), int(self._read.max())
        tensors = self._engine.resized_table(self._tensors, tokens.size, longest, read)
        named = np.zeros((tokens.size, 0), np.int32)
        if wanted is not None:
            named = wanted.clip(min=0).reshape(tokens.size, -1)
        continued = np.arange(tokens.size) if parents is None else parents.ravel()
        rows = np.column_stack([continued, tokens.ravel(), named]).astype(np.int32)
        outputs, state = self._engine.step(tensors, rows, top_k, longest, read, with_attention)
        self._tensors = [*tensors[:MEMORY_SIZE], *state]
        by_slot = [each.reshape(*tokens.shape, -1) for each in outputs]
        attention_weights = by_slot.pop() if with_attention else None
        first, size = by_slot[0], (by_slot[0].shape[2] - WANTED_CHUNK) // 2
        wanted_logprobs = None
        if wanted is not None:
            every = np.concatenate([each[:, :, -WANTED_CHUNK:] for each in by_slot], axis=2)
            wanted_logprobs = every[:, :, : wanted.shape[2]]
        return StepResult(
            first[:, :, :size].astype(np.int32)[:, :, :top_k],
            first[:, :, size : 2 * size][:, :, :top_k],
            attention_weights,
            wanted_logprobs,
        )


class KerasEngine:
    """Runs a network. See `model.contract.Engine`.

    Args:
        network: a network with its final weights.
        has_static_shapes: whether to compile with XLA, once for each of a few sizes. None: on a
            GPU, and always on JAX. PyTorch uses no compiler.
    """

    has_shortlist = False

    def __init__(self, network: TokenSeq2Seq, *, has_static_shapes: bool | None = None) -> None:
        backend = keras.backend.backend()
        if has_static_shapes is None:
            has_static_shapes = backend == "jax" or (backend == "tensorflow" and prepare_device())
        self.compilations = 0
        self._network = network
        self._is_static = has_static_shapes
        self._limits = Limits(0, 0, 0)
        if has_static_shapes:
            _use_no_cudnn(network)
        # Stored separately, so that it is transposed once and not at every step.
        self._projection = network.projection.matrix()
        self._vocab_size = network.config.target_vocab_size
        build = partial(
            compiled,
            network=network,
            has_static_shapes=has_static_shapes,
            on_compile=self._count_compilation,
        )
        self._encode = build(self._run_encode, constants=(2, 3))
        self._step = build(self._run_step, constants=(4, 5), donated=(1,))
        self._rank = build(_run_rank, constants=(2,))
        self._place, self._merge = _run_place, _run_merge
        if has_static_shapes:
            self._place = build(_run_place, constants=(2,))
            self._merge = build(_run_merge)

    @classmethod
    def load(cls, folder: ModelFolder) -> KerasEngine:
        """Builds the engine for a verified folder. On a GPU, weights are bfloat16 if that is
        faster.

        Raises:
            FolderError: if the weights do not fit the network that config.json describes.
        """
        on_gpu = prepare_device()
        enable_compilation_cache()
        is_half = on_gpu and keras.backend.backend() != "torch" and has_fast_bfloat16()
        return cls(load_network(folder, "bfloat16" if is_half else "float32"))

    def warm_up(self, limits: Limits) -> None:
        if not self._is_static:
            return
        self._limits = limits
        longest, rows = limits.source_tokens, sizes_up_to(limits.rows)
        encoded = {}
        for count, length in itertools.product(rows, sizes_up_to(longest)):
            lengths = np.full(count, length, np.int32)
            encoded[count] = self.encode(np.zeros((count, length), np.int32), lengths, lengths > 0)
        for count in rows:
            none = np.full(count, -1)
            tables = [self.place(each.tensors, none, longest) for each in encoded.values()]
            self._warm_up_steps(self.insert(tables[0], tables[0], none, longest))

    def _warm_up_steps(self, tensors: list[Tensor]) -> None:
        """Runs a step of each size on a table."""
        rows = np.zeros((len(tensors[0]), 2 + WANTED_CHUNK + 1), np.int32)
        histories = (
            sizes_up_to(self._limits.target_tokens)
            if any(map(_is_history, tensors[MEMORY_SIZE:]))
            else [1]
        )
        for length, read in itertools.product(sizes_up_to(self._limits.source_tokens), histories):
            _, state = self.step(tensors, rows, 1, length, read)
            tensors[MEMORY_SIZE:] = state
        for top_k in sizes_up_to(self._vocab_size):
            _, state = self.step(tensors, rows, top_k, length, read)
            tensors[MEMORY_SIZE:] = state

    def encode(
        self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool
    ) -> EncodedSources:
        rows, source_len = source_ids.shape
        shape = self.rows(rows), self._size(source_len, self._limits.source_tokens)
        lengths = resized(source_lengths.astype(np.int32), shape[0])
        lengths[rows:] = 1  # a row without tokens would give NaN
        inside = np.arange(shape[1]) < lengths[:, None]
        padded = np.where(inside, resized(source_ids, *shape), PAD_ID).astype(np.int32)
        room = self._source_room(source_len) if self._is_static else None
        tensors = self._encode(padded, inside, room, self._limits.target_tokens)
        return EncodedSources(lengths[:rows], list(tensors))

    def new_table(self, width: int, *, use_shortlist: bool) -> KerasTable:
        return KerasTable(self, width)

    def place(
        self,
        tensors: list[Tensor],
        places: Indices,
        longest: int,
        like: list[Tensor] | None = None,
    ) -> list[Tensor]:
        """Returns a table with the rows `places` of `tensors`, and possibly more, with room for
        sources of `longest` tokens and for the histories of `like`."""
        rows = resized(places.clip(min=0).astype(np.int32), self.rows(len(places)))
        sizes = zip(_lengths(tensors), _lengths(like or tensors), strict=True)
        room = (self._source_room(longest),) * MEMORY_SIZE
        return list(self._place(tensors, rows, room + tuple(map(max, sizes))[MEMORY_SIZE:]))

    def insert(
        self, tensors: list[Tensor], encoded: list[Tensor], places: Indices, longest: int
    ) -> list[Tensor]:
        """Returns the table `tensors`, which may be empty, with rows of `encoded` at the rows whose
        `places` are not -1."""
        new = self.place(encoded, places, longest, tensors)
        if not tensors:
            return new
        if len(tensors[0]) != len(new[0]) or _lengths(tensors) != _lengths(new):
            own = np.arange(min(len(places), len(tensors[0])))
            tensors = self.place(tensors, resized(own, len(places)), longest, new)
        is_new = resized(places, len(new[0])) >= 0
        return list(self._merge(tensors, new, is_new))

    def resized_table(
        self, tensors: list[Tensor], rows: int, longest: int, read: int
    ) -> list[Tensor]:
        """Returns the table `tensors`, resized for its first `rows`, whose sources have up to
        `longest` tokens and which will have read up to `read` tokens."""
        memory, state = tensors[:MEMORY_SIZE], tensors[MEMORY_SIZE:]
        tensors = [*memory, *self._network.decoder.allocate_cache(state, read)]
        if (len(tensors[0]), _lengths(tensors)[0]) == (self.rows(rows), self._source_room(longest)):
            return tensors
        return self.place(tensors, np.arange(rows), longest)

    def step(
        self,
        tensors: list[Tensor],
        rows: Int32,
        top_k: int,
        longest: int,
        read: int,
        with_attention: bool = False,
    ) -> tuple[list[Array], list[Tensor]]:
        """Runs a step on the first rows of a table.

        Args:
            tensors: the table; its state is consumed.
            rows: `(rows, 2 + n)`: the row that each one continues, the token that it reads, n
                wanted tokens.
            top_k, with_attention: see `model.contract.StateTable.step`.
            longest: number of tokens of the longest source.
            read: number of tokens of the longest history, including this one.

        Returns:
            what `_run_rank` does, for each `WANTED_CHUNK` of the wanted tokens, and the attention
            weights if they are asked for, `(rows, ...)` each; the next state.
        """
        wanted = np.split(rows[:, 2:], range(WANTED_CHUNK, rows.shape[1] - 2, WANTED_CHUNK), axis=1)
        shape = len(tensors[0]), 2 + WANTED_CHUNK
        inputs = [resized(np.column_stack([rows[:, :2], each]), *shape) for each in wanted]
        memory, state = tensors[:MEMORY_SIZE], tensors[MEMORY_SIZE:]
        parts = self._sliced_length(memory, longest), self._sliced_length(state, read)
        logits, ranked, attention_weights, state = self._step(
            memory, state, inputs[0], self._projection, *parts
        )
        if top_k > DEFAULT_TOP_K:
            size = round_up(min(top_k, self._vocab_size), self._vocab_size)
            ranked = self._rank(logits, inputs[0], size)
        outputs = [ranked, *(self._rank(logits, each, DEFAULT_TOP_K) for each in inputs[1:])]
        if with_attention:
            outputs.append(attention_weights)
        return [_array(each)[: len(rows)] for each in outputs], list(state)

    def rows(self, rows: int) -> int:
        """Returns the number of rows to compute for at least `rows` rows."""
        return max(MIN_ROWS, self._size(rows, self._limits.rows))

    def _size(self, size: int, limit: int) -> int:
        """Returns the static size for `size`."""
        return round_up(size, limit) if self._is_static else size

    def _source_room(self, longest: int) -> int:
        """Returns the room per source in tables whose longest source has `longest` tokens."""
        return self._size(max(longest, self._limits.source_tokens), self._limits.source_tokens)

    def _sliced_length(self, tensors: list[Tensor], used: int) -> int | None:
        """Returns how much of the room in `tensors` a step reads; None: all of it."""
        room = max((each.shape[1] for each in tensors if len(each.shape) == 3), default=0)
        size = self._size(used, room)
        return size if self._is_static and size < room else None

    def _count_compilation(self) -> None:
        self.compilations += 1

    def _run_encode(
        self, source_ids: Tensor, mask: Tensor, room: int | None, target_tokens: int
    ) -> list[Tensor]:
        memory, state = self._network.encode(source_ids, mask)
        padded = [each if room is None else _fit(each, room) for each in memory]
        return [*padded, *self._network.decoder.allocate_cache(state, target_tokens)]

    def _run_step(
        self,
        memory: list[Tensor],
        state: list[Tensor],
        inputs: Tensor,
        projection: Tensor,
        source_len: int | None,
        history: int | None,
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        parents, tokens = inputs[:, 0], inputs[:, 1]
        read = Memory(*(each[:, :source_len] for each in memory))
        own = [each[:, :history] if _is_history(each) else each for each in state]
        logits, attention_weights, own = self._network.step(
            tokens, read, [ops.take(each, parents, axis=0) for each in own], projection
        )
        if history is not None:
            own = [
                ops.slice_update(each, (0, 0, 0), new) if _is_history(each) else new
                for each, new in zip(state, own, strict=True)
            ]
        ranked = _run_rank(logits, inputs, DEFAULT_TOP_K)
        return logits, ranked, ops.cast(attention_weights, "float32"), own


def _run_rank(logits: Tensor, inputs: Tensor, top_k: int) -> Tensor:
    """Returns the likeliest tokens of each row, their log-probabilities, and those of the wanted
    tokens, in one array, so that there is a single copy: float32 represents integers up to
    2**24."""
    total = ops.logsumexp(logits, axis=-1, keepdims=True)
    best_logits, best = ops.top_k(logits, min(top_k, logits.shape[-1]))
    wanted = ops.take_along_axis(logits, inputs[:, 2:], axis=-1)
    tokens = ops.cast(best, "float32")
    return ops.concatenate([tokens, best_logits - total, wanted - total], axis=-1)


def _run_place(tensors: list[Tensor], places: Tensor, lengths: tuple[int, ...]) -> list[Tensor]:
    resized_table = (_fit(each, length) for each, length in zip(tensors, lengths, strict=True))
    return [ops.take(each, places, axis=0) for each in resized_table]


def _run_merge(tensors: list[Tensor], new: list[Tensor], is_new: Tensor) -> list[Tensor]:
    return [
        ops.where(ops.reshape(is_new, (-1,) + (1,) * (len(one.shape) - 1)), other, one)
        for one, other in zip(tensors, new, strict=True)
    ]


def _is_history(state: Tensor) -> bool:
    """Tells whether a state tensor grows with the tokens read."""
    return len(state.shape) == 3


def _lengths(tensors: list[Tensor]) -> tuple[int, ...]:
    """Returns the size of each tensor along its second axis, 1 if it has none."""
    return tuple(each.shape[1] if len(each.shape) > 1 else 1 for each in tensors)


def _fit(tensor: Tensor, length: int) -> Tensor:
    """Returns `tensor` cut, or padded with zeros, to `length` along its second axis, if any."""
    if len(tensor.shape) < 2 or tensor.shape[1] == length:
        return tensor
    beyond = [(0, 0)] * len(tensor.shape)
    beyond[1] = 0, max(0, length - tensor.shape[1])
    return ops.pad(tensor[:, :length], beyond)


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
            f"Export the folder again. ({error})"
        ) from None
    return network


def _use_no_cudnn(network: TokenSeq2Seq) -> None:
    """Disables cuDNN's recurrent layers, which XLA cannot compile; it has its own loops."""
    for layer in network._flatten_layers():
        if hasattr(layer, "use_cudnn"):
            layer.use_cudnn = False


def _array(tensor: Tensor) -> Array:
    return np.asarray(ops.convert_to_numpy(tensor))
