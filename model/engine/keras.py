"""The decoding contract over a Keras network, compiled where the backend can.

A compiler that needs all shapes beforehand compiles once for each: so rows, source lengths and
`top_k` are rounded up to a few sizes, and the surplus is cut off again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from model.contract import Bool, Int32, StepResult
from model.engine.compiled import compiled, multiplies_bfloat16, prepare_device
from model.engine.rows import FEWEST_ROWS, at_least
from model.errors import FolderError
from model.folder import WEIGHTS_FILE, ModelFolder
from model.layers.decoders import Memory
from model.networks.tokens import PAD_ID, TokenSeq2Seq

Tensor = Any

#: The smallest static sizes. Fewer rows would take as long on a GPU.
FEWEST_STATIC_ROWS = 8
SHORTEST_STATIC_SOURCE = 16
FEWEST_STATIC_TOKENS = 8


@dataclass(frozen=True)
class KerasState:
    """The state that a step continues. Its tensors may have surplus rows and source positions.

    Attributes:
        rows: real rows.
        source_len: of the longest source.
        memory: the sources, one row for each row of the last step.
        sources: int32, which encoded source each row reads: rows whose sources stay in place (all
            of a beam, mostly) need no copy of the memory.
        recurrent: the decoder's state, each `(at least rows, units)`.
    """

    rows: int
    source_len: int
    memory: Memory
    sources: Int32
    recurrent: list[Tensor]


class KerasEngine:
    """Runs a network. See `model.contract.Engine`.

    Args:
        network: with its weights, which must not change any more.
        has_static_shapes: whether to compile with XLA, once for each of a few sizes. None: on a
            GPU, and on JAX, which knows no other way. PyTorch computes without a compiler.
    """

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
        self._select = build(self._run_select)
        self._step = build(self._run_step, constants=(6,))
        self._join = build(self._run_join, constants=(3,)) if has_static_shapes else self._run_join

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

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> KerasState:
        rows, source_len = source_ids.shape
        beyond = self._source_len(source_len) - source_len
        inside = np.arange(source_len + beyond) < source_lengths[:, None]
        padded = np.where(inside, np.pad(source_ids, ((0, 0), (0, beyond))), PAD_ID)
        count = self._rows(rows)
        memory, recurrent = self._encode(
            _tensor(at_least(padded.astype(np.int32), count)), _tensor(at_least(inside, count))
        )
        sources = np.arange(rows, dtype=np.int32)
        return KerasState(rows, source_len, Memory(*memory), sources, recurrent)

    def step(
        self,
        state: KerasState,
        parents: Int32,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
    ) -> StepResult:
        rows = len(parents)
        count = self._rows(rows)
        memory, recurrent, sources = state.memory, state.recurrent, state.sources[parents]
        followed = _tensor(at_least(parents, count))
        if count != len(memory.mask) or not np.array_equal(sources, state.sources):
            memory = Memory(*self._select(list(memory), followed))
        if self._is_static and count != len(recurrent[0]):
            # Steps are compiled for each number of rows, not for each pair of numbers.
            recurrent = self._select(recurrent, followed)
            followed = _tensor(np.arange(count, dtype=np.int32))
        named = None if wanted is None else _tensor(at_least(self._widened(wanted), count))
        *found, wanted_logprobs, recurrent = self._step(
            list(memory),
            recurrent,
            followed,
            _tensor(at_least(tokens, count)),
            named,
            self._projection,
            self._tokens(top_k),
        )
        best, logprobs, attention_weights = (_array(each)[:rows] for each in found)
        return StepResult(
            best[:, :top_k],
            logprobs[:, :top_k],
            attention_weights[:, : state.source_len],
            KerasState(rows, state.source_len, memory, sources, recurrent),
            None if wanted is None else _array(wanted_logprobs)[:rows, : wanted.shape[1]],
        )

    def join(self, state: KerasState, parents: Int32, newcomers: KerasState) -> KerasState:
        rows = len(parents) + newcomers.rows
        places = np.append(parents, np.arange(newcomers.rows) + len(state.recurrent[0]))
        sources = np.append(
            state.sources[parents], newcomers.sources + state.sources.max() + 1
        ).astype(np.int32)
        source_len = max(state.source_len, newcomers.source_len)
        memory, recurrent = self._join(
            [list(each.memory) for each in (state, newcomers)],
            [each.recurrent for each in (state, newcomers)],
            _tensor(at_least(places.astype(np.int32), self._rows(rows))),
            self._source_len(source_len),
        )
        return KerasState(rows, source_len, Memory(*memory), sources, recurrent)

    def _rows(self, rows: int) -> int:
        if not self._is_static:
            return max(rows, FEWEST_ROWS)
        return next_power_of_two(max(rows, FEWEST_STATIC_ROWS))

    def _source_len(self, source_len: int) -> int:
        if not self._is_static:
            return source_len
        return next_power_of_two(max(source_len, SHORTEST_STATIC_SOURCE))

    def _tokens(self, top_k: int) -> int:
        least = FEWEST_STATIC_TOKENS if self._is_static else 1
        size = self._network.config.target_vocab_size
        return min(next_power_of_two(max(top_k, least)), size)

    def _widened(self, wanted: Int32) -> Int32:
        beyond = next_power_of_two(wanted.shape[1]) - wanted.shape[1]
        return np.pad(wanted.clip(min=0), ((0, 0), (0, beyond)))

    def _run_encode(self, source_ids: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        memory, recurrent = self._network.encode(source_ids, mask)
        return list(memory), recurrent

    def _run_select(self, tensors: list[Tensor], rows: Tensor) -> list[Tensor]:
        return [ops.take(each, rows, axis=0) for each in tensors]

    def _run_join(
        self,
        memories: list[list[Tensor]],
        recurrents: list[list[Tensor]],
        places: Tensor,
        source_len: int,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Returns the rows at `places`, counted through all states."""
        padded = [_lengthened(Memory(*memory), source_len) for memory in memories]
        joined, recurrent = (
            [
                ops.take(ops.concatenate(each, axis=0), places, axis=0)
                for each in zip(*parts, strict=True)
            ]
            for parts in (padded, recurrents)
        )
        return joined, recurrent

    def _run_step(
        self,
        memory: list[Tensor],
        recurrent: list[Tensor],
        parents: Tensor,
        tokens: Tensor,
        wanted: Tensor | None,
        projection: Tensor,
        top_k: int,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None, list[Tensor]]:
        continued = [ops.take(each, parents, axis=0) for each in recurrent]
        logits, attention_weights, recurrent = self._network.step(
            tokens, Memory(*memory), continued, projection
        )
        total = ops.logsumexp(logits, axis=-1, keepdims=True)
        best_logits, best = ops.top_k(logits, top_k)
        return (
            ops.cast(best, "int32"),
            best_logits - total,
            ops.cast(attention_weights, "float32"),
            None if wanted is None else ops.take_along_axis(logits, wanted, axis=-1) - total,
            recurrent,
        )


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


def _array(tensor: Tensor) -> NDArray[Any]:
    return np.asarray(ops.convert_to_numpy(tensor))


def _tensor(array: NDArray[Any]) -> Tensor:
    return ops.convert_to_tensor(array)


def _lengthened(memory: Memory, source_len: int) -> Memory:
    """Returns `memory`, padded at the right to `source_len`; the new positions are masked."""
    missing = source_len - memory.mask.shape[1]
    if not missing:
        return memory
    beyond = [[0, 0], [0, missing]]
    return Memory(
        ops.pad(memory.keys, [*beyond, [0, 0]]),
        ops.pad(memory.values, [*beyond, [0, 0]]),
        ops.pad(memory.mask, beyond, constant_values=False),
    )
