"""Ranges of a network's activations, from which int8 graphs get their fixed scales."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras import ops

from model.layers.embeddings import OutputProjection
from model.networks.tokens import TokenSeq2Seq
from model.tokenizer import BOS_ID, EOS_ID
from model.types import Int32
from training.export.linear import array

#: Number of random examples that replace a corpus, and their length.
RANDOM_EXAMPLES, RANDOM_TOKENS = 64, 16
#: Layers whose inputs are measured.
INPUTS_OF = (keras.layers.Dense, OutputProjection)


class Ranges:
    """The largest absolute inputs of linear layers and of the output projection, and outputs of
    normalisations; measured on first use.

    Args:
        network: its weights must not change.
        examples: (source, target) ids; None: fixed random tokens.
    """

    def __init__(
        self, network: TokenSeq2Seq, examples: Sequence[tuple[Int32, Int32]] | None = None
    ) -> None:
        self._network = network
        self._examples = examples

    def of(self, layer: keras.layers.Layer) -> float:
        """Returns the range of `layer`, above 0.

        Raises:
            KeyError: if the network did not use `layer`.
        """
        return max(self._greatest[id(layer)], 1e-6)

    @cached_property
    def _greatest(self) -> dict[int, float]:
        greatest: dict[int, float] = {}
        with _observed(self._network, greatest):
            if self._examples is None:
                self._run(*_random_batch(self._network))
            for source, target in self._examples or ():
                self._run(source[None], np.append(np.int32(BOS_ID), target)[None])
        return greatest

    def _run(self, source_ids: Int32, target_ids: Int32) -> None:
        inputs = {"source_ids": source_ids, "target_ids": target_ids}
        self._network({name: ops.convert_to_tensor(ids) for name, ids in inputs.items()})


def _random_batch(network: TokenSeq2Seq) -> tuple[Int32, Int32]:
    """Draws sources and targets of random tokens, `(examples, tokens)`."""
    draw, config = np.random.default_rng(0), network.config
    shape = (RANDOM_EXAMPLES, RANDOM_TOKENS)
    source_ids = draw.integers(EOS_ID, config.source_vocab_size, shape, dtype=np.int32)
    return source_ids, draw.integers(EOS_ID, config.target_vocab_size, shape, dtype=np.int32)


@contextmanager
def _observed(network: TokenSeq2Seq, greatest: dict[int, float]) -> Iterator[None]:
    """Makes the layers of `network` record their largest values in `greatest`, by `id`."""
    kinds = (*INPUTS_OF, keras.layers.LayerNormalization)
    layers = [each for each in network._flatten_layers() if isinstance(each, kinds)]
    for layer in layers:
        setattr(layer, "call", _observing(layer, greatest))  # noqa: B010, of this one layer
    try:
        yield
    finally:
        for layer in layers:
            del layer.call


def _observing(layer: keras.layers.Layer, greatest: dict[int, float]) -> Callable[..., Any]:
    call = layer.call

    def observe(inputs: Any, *arguments: Any, **options: Any) -> Any:
        outputs = call(inputs, *arguments, **options)
        seen = inputs if isinstance(layer, INPUTS_OF) else outputs
        greatest[id(layer)] = max(greatest.get(id(layer), 0.0), float(np.abs(array(seen)).max()))
        return outputs

    return observe
