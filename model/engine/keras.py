"""The decoding contract over a Keras network, compiled where the backend can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from model.contract import Int32, StepResult
from model.engine.rows import at_least
from model.errors import FolderError
from model.folder import WEIGHTS_FILE, ModelFolder
from model.layers.decoders import Memory
from model.networks.tokens import PAD_ID, TokenSeq2Seq

Tensor = Any


@dataclass(frozen=True)
class KerasState:
    """What a step continues. Its tensors may have more rows than are real.

    Attributes:
        rows: real rows.
        memory: the sources, one row for each row that was asked for last.
        sources: int32, which encoded source each row reads: rows whose sources stay in place (all
            of a beam, mostly) need no copy of the memory.
        recurrent: the decoder's state, each `(at least rows, units)`.
    """

    rows: int
    memory: Memory
    sources: Int32
    recurrent: list[Tensor]


class KerasEngine:
    """Runs a network. See `model.contract.Engine`.

    Args:
        network: with its weights, which must not change any more.
    """

    def __init__(self, network: TokenSeq2Seq) -> None:
        self._network = network
        self._projection = network.projection.matrix()
        self._encode = compiled(self._run_encode)
        self._select = compiled(self._run_select)
        self._step = compiled(self._run_step)

    @classmethod
    def load(cls, folder: ModelFolder) -> KerasEngine:
        """The engine over a verified folder.

        Raises:
            FolderError: if the weights do not fit the network that config.json describes.
        """
        return cls(load_network(folder))

    def encode(self, source_ids: Int32, source_lengths: Int32) -> KerasState:
        inside = np.arange(source_ids.shape[1]) < source_lengths[:, None]
        padded = np.where(inside, source_ids, PAD_ID).astype(np.int32)
        memory, recurrent = self._encode(_tensor(at_least(padded)), _tensor(at_least(inside)))
        rows = len(source_ids)
        sources = at_least(np.arange(rows, dtype=np.int32))
        return KerasState(rows, Memory(*memory), sources, recurrent)

    def step(self, state: KerasState, parents: Int32, tokens: Int32, top_k: int) -> StepResult:
        rows, parents, tokens = len(parents), at_least(parents), at_least(tokens)
        memory, sources = state.memory, state.sources[parents]
        if not np.array_equal(sources, state.sources):
            memory = Memory(*self._select(list(memory), _tensor(parents)))
        top_k = min(next_power_of_two(top_k), self._network.config.target_vocab_size)
        *found, recurrent = self._step(
            list(memory), state.recurrent, _tensor(parents), _tensor(tokens), top_k
        )
        best, logprobs, attention_weights = (ops.convert_to_numpy(each)[:rows] for each in found)
        return StepResult(
            best, logprobs, attention_weights, KerasState(rows, memory, sources, recurrent)
        )

    def concatenate(self, states: list[KerasState]) -> KerasState:
        longest = max(state.memory.mask.shape[1] for state in states)
        memories = [_lengthened(state.memory, longest) for state in states]
        sources, first = [], 0
        for state in states:
            sources.append(state.sources[: state.rows] + first)
            first += int(state.sources.max()) + 1
        counts = [state.rows for state in states]
        return KerasState(
            sum(counts),
            Memory(*_join([list(memory) for memory in memories], counts)),
            np.concatenate(sources).astype(np.int32),
            _join([state.recurrent for state in states], counts),
        )

    def _run_encode(self, source_ids: Tensor, mask: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        memory, recurrent = self._network.encode(source_ids, mask)
        return list(memory), recurrent

    def _run_select(self, memory: list[Tensor], rows: Tensor) -> list[Tensor]:
        return [ops.take(each, rows, axis=0) for each in memory]

    def _run_step(
        self,
        memory: list[Tensor],
        recurrent: list[Tensor],
        parents: Tensor,
        tokens: Tensor,
        top_k: int,
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        continued = [ops.take(each, parents, axis=0) for each in recurrent]
        logits, attention_weights, recurrent = self._network.step(
            tokens, Memory(*memory), continued, self._projection
        )
        best_logits, best = ops.top_k(logits, top_k)
        logprobs = best_logits - ops.logsumexp(logits, axis=-1, keepdims=True)
        return ops.cast(best, "int32"), logprobs, attention_weights, recurrent


def load_network(folder: ModelFolder) -> TokenSeq2Seq:
    """The network of a verified folder, with its weights.

    Raises:
        FolderError: if the weights do not fit the network that config.json describes.
    """
    network = TokenSeq2Seq(folder.config.network)
    try:
        network.load_weights(folder.path / WEIGHTS_FILE)
    except (ValueError, KeyError, OSError) as error:
        raise FolderError(
            f"{folder.path / WEIGHTS_FILE}: does not fit the network in config.json. "
            f"Export the folder anew. ({error})"
        ) from None
    return network


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` without Python at run time, where the backend has a graph compiler."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function, reduce_retracing=True)
    if keras.backend.backend() == "torch":
        import torch

        return torch.no_grad()(function)
    return function


def next_power_of_two(count: int) -> int:
    """The smallest power of two that is at least `count` >= 1: few sizes, few compiled graphs."""
    return 1 << (count - 1).bit_length()


def _join(tensors: list[list[Tensor]], rows: list[int]) -> list[Tensor]:
    """Joins the first rows of each, tensor by tensor."""
    real = [[each[:count] for each in part] for part, count in zip(tensors, rows, strict=True)]
    return [ops.concatenate(each, axis=0) for each in zip(*real, strict=True)]


def _tensor(array: Any) -> Tensor:
    return ops.convert_to_tensor(array)


def _lengthened(memory: Memory, source_len: int) -> Memory:
    """`memory` padded at the right to `source_len`; the new places are masked."""
    missing = source_len - memory.mask.shape[1]
    if not missing:
        return memory
    beyond = [[0, 0], [0, missing]]
    return Memory(
        ops.pad(memory.keys, [*beyond, [0, 0]]),
        ops.pad(memory.values, [*beyond, [0, 0]]),
        ops.pad(memory.mask, beyond, constant_values=False),
    )
