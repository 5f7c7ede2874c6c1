"""Estimate of the time that a new recipe takes on this machine, before there is a corpus, by
measuring a few steps of its network."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from model.config import NetworkConfig
from model.networks.tokens import TokenSeq2Seq
from training.fit.batches import Batch, make_batch, shape_of_batch
from training.fit.distribution import COMPILES_STEPS
from training.fit.optimizer import compile_network
from training.fit.shapes import SOURCE_LENGTHS, TARGET_LENGTHS
from training.fit.sizing import SizedFitConfig, network_config, sized_for
from training.metrics import words_of
from training.new.proposal import PIECES_PER_WORD
from training.new.survey import Survey
from training.recipe import Recipe, TrainingPrecision

#: Examples that `prepare` reads per second, and the minimum time of all commands in seconds.
PREPARED_PER_SECOND, MIN_SECONDS = 4000.0, 60.0
#: Share of the epochs that a run takes: it ends when dev stops improving or everything is learnt.
EPOCHS_TAKEN = 0.8
HALF_PRECISION: TrainingPrecision = "mixed_bfloat16"
#: Minimum time of a run for which half precision is measured too, and the share of the time in
#: float32 below which it is chosen.
WORTH_CHOOSING_SECONDS, WORTH_CHANGING = 300.0, 0.9
#: Number of steps for compilation, and of measured steps.
WARM_UP_STEPS, MEASURED_STEPS = 2, 6
#: Number of compilations of a step: one per batch shape. TensorFlow treats a size as variable from
#: its second value on, which covers all shapes after three batches.
COMPILATIONS = TARGET_LENGTHS * SOURCE_LENGTHS if COMPILES_STEPS else 3
#: Share of a batch that is not padding.
FILL_SHARE = 0.8


def choose_precision(recipe: Recipe, found: Survey) -> tuple[TrainingPrecision, float]:
    """Chooses the precision in which `recipe` trains faster on this machine, and estimates how many
    seconds all commands then take.

    Trains its network for a few steps. Half precision is faster on GPUs and on processors that
    multiply matrices in it. The recipe is in float32.
    """
    seconds = _estimate_seconds(recipe, found)
    if seconds < WORTH_CHOOSING_SECONDS:
        return "float32", seconds
    fit = recipe.fit.model_copy(update={"precision": HALF_PRECISION})
    half_seconds = _estimate_seconds(recipe.model_copy(update={"fit": fit}), found)
    if half_seconds > WORTH_CHANGING * seconds:
        return "float32", seconds
    return HALF_PRECISION, half_seconds


def _estimate_seconds(recipe: Recipe, found: Survey) -> float:
    source_tokens = _mean_tokens([example.source[-1] for example in found.sample])
    target_tokens = _mean_tokens([example.target for example in found.sample])
    turns = recipe.tokenizer.context_turns
    source_tokens = min(source_tokens * (1 + turns) // 2, recipe.tokenizer.max_source_tokens)
    tokens = found.examples * (target_tokens + 1)
    by_heart, vocab_size = not recipe.corpus.dev_fraction, recipe.tokenizer.vocab_size
    options = sized_for(
        recipe.fit,
        tokens,
        lambda batch_tokens: max(1, round(tokens / (FILL_SHARE * batch_tokens))),
        by_heart=by_heart,
    )
    network = network_config(recipe, vocab_size, vocab_size, by_heart=by_heart)
    trained_tokens = tokens * options.epochs * EPOCHS_TAKEN
    trained = _seconds_to_train(network, options, source_tokens, target_tokens, trained_tokens)
    return MIN_SECONDS + found.examples / PREPARED_PER_SECOND + trained


def _mean_tokens(texts: list[str]) -> int:
    return max(1, round(PIECES_PER_WORD * sum(len(words_of(text)) for text in texts) / len(texts)))


def _seconds_to_train(
    config: NetworkConfig, options: SizedFitConfig, source_len: int, target_len: int, tokens: float
) -> float:
    """Trains a new network on random tokens for a few steps, and returns the time that `tokens`
    target tokens take, without padding, in examples of `source_len` and `target_len` tokens."""
    with _precision(options.precision):
        network = TokenSeq2Seq(config)
    compile_network(network, options, MEASURED_STEPS)
    batch = _random_batch(config, options.batch_tokens, source_len, target_len)
    began = time.perf_counter()
    _train(network, batch, WARM_UP_STEPS)
    compiled = time.perf_counter()
    _train(network, batch, MEASURED_STEPS)
    seconds = (time.perf_counter() - compiled) / MEASURED_STEPS
    compile_seconds = max(0.0, compiled - began - WARM_UP_STEPS * seconds)
    return COMPILATIONS * compile_seconds + seconds * tokens / (FILL_SHARE * batch.labels.size)


@contextmanager
def _precision(name: str) -> Iterator[None]:
    """Sets the precision of layers built in this context."""
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
