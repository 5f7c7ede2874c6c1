"""How long a recipe will take on this machine: a few steps of its network, measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np

from model.config import NetworkConfig
from model.networks.tokens import TokenSeq2Seq
from training.fit.batches import Batch, make_batch, shape_of_batch
from training.fit.distribution import COMPILES_STEPS
from training.fit.losses import TokenCrossEntropy
from training.fit.optimizer import build_optimizer
from training.fit.shapes import SOURCE_LENGTHS, TARGET_LENGTHS
from training.fit.sizing import SizedFitConfig

#: Steps that compile, and steps that are measured.
WARM_UP_STEPS, MEASURED_STEPS = 2, 6
#: How often a step is compiled: for each shape of batches; TensorFlow takes a size as variable from
#: its second value on, so that it has all of them after three batches.
COMPILATIONS = TARGET_LENGTHS * SOURCE_LENGTHS if COMPILES_STEPS else 3
#: Share of a batch that is not padding.
FILLED = 0.8


@dataclass(frozen=True)
class Speed:
    """Speed of training.

    Attributes:
        tokens_per_second: target tokens, without padding.
        compile_seconds: until all shapes are compiled.
    """

    tokens_per_second: float
    compile_seconds: float

    def seconds_for(self, tokens: float) -> float:
        """Returns the time that so many target tokens take."""
        return self.compile_seconds + tokens / self.tokens_per_second


def measure_speed(
    config: NetworkConfig,
    options: SizedFitConfig,
    source_tokens: int,
    target_tokens: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Trains a new network on random tokens for some steps.

    Args:
        config: the network.
        options: of its training.
        source_tokens, target_tokens: in a typical example.
        clock: in seconds.
    """
    with _precision(options.precision):
        network = TokenSeq2Seq(config)
    network.compile(
        optimizer=build_optimizer(options, MEASURED_STEPS),
        loss=TokenCrossEntropy(options.label_smoothing),
        jit_compile=COMPILES_STEPS,
    )
    batch = _random_batch(config, options.batch_tokens, source_tokens, target_tokens)
    began = clock()
    _train(network, batch, WARM_UP_STEPS)
    compiled = clock()
    _train(network, batch, MEASURED_STEPS)
    seconds = (clock() - compiled) / MEASURED_STEPS
    compile_seconds = max(0.0, compiled - began - WARM_UP_STEPS * seconds)
    return Speed(FILLED * batch.labels.size / seconds, COMPILATIONS * compile_seconds)


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """Builds layers in this precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _train(network: keras.Model, batch: Batch, steps: int) -> None:
    for _ in range(steps):
        float(network.train_on_batch(batch.inputs, batch.labels, batch.weights))


def _random_batch(config: NetworkConfig, tokens: int, source_len: int, target_len: int) -> Batch:
    draw = np.random.default_rng(0)
    lengths = np.array([[source_len], [target_len + 1]], np.int32)
    shape = shape_of_batch(lengths[0], lengths[1], tokens)

    def ids(length: int, size: int) -> list[np.ndarray]:
        return [draw.integers(4, size, length).astype(np.int32) for _ in range(shape[0])]

    sources = ids(source_len, config.source_vocab_size)
    return make_batch(sources, ids(target_len, config.target_vocab_size), shape)
