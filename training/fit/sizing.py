"""Defaults of options that depend on the size of the corpus.

A network needs enough steps. A small corpus gives too few in ten epochs of large batches, so it
gets smaller batches and more epochs. A corpus that is learnt by heart need not generalise: it gets
a higher learning rate and a network with wide embeddings, which store most of the corpus, and
narrow recurrent layers, which are fast.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field

from model.config import NetworkConfig, NetworkShape
from training.fit.batches import plan_batches
from training.fit.shapes import UNPLANNED, Shapes
from training.prepare.shards import Shard
from training.recipe import FitConfig, Recipe

#: Target tokens per batch; a corpus with fewer than `BATCHES` such batches gets smaller ones.
MIN_BATCH_TOKENS, MAX_BATCH_TOKENS, BATCHES = 512, 2048, 128
#: Epochs, and the number of steps that a small corpus should reach with more epochs.
MIN_EPOCHS, MAX_EPOCHS, STEPS = 10, 100, 2500
#: Highest learning rate.
LEARNING_RATE, LEARNING_RATE_BY_HEART = 0.001, 0.004
#: Warm-up as a share of the run, and its maximum number of steps.
WARMUP_SHARE, MAX_WARMUP_STEPS = 0.05, 1000
#: A longer warm-up, as a share of the run, would leave no time at the peak.
MAX_WARMUP_SHARE = 0.5
#: The network of a recipe without `[network]` that learns by heart.
SHAPE_BY_HEART = NetworkShape(embedding_units=512, encoder_units=64, decoder_units=128, dropout=0.0)


class SizedFitConfig(FitConfig):
    """`[fit]` of a recipe with all defaults filled in."""

    batch_tokens: int = Field(ge=16)
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0.0)
    warmup_steps: int = Field(ge=0)


def sized_options(
    options: FitConfig, train: Shard, *, by_heart: bool = False, shapes: Shapes = UNPLANNED
) -> SizedFitConfig:
    """Returns `options` with all defaults filled in; `by_heart` if there is no split to score but
    `train`."""
    return sized_for(
        options,
        int((train.targets.lengths + 1).sum()),
        lambda batch_tokens: len(plan_batches(train, batch_tokens, seed=0, epoch=0, shapes=shapes)),
        by_heart=by_heart,
    )


def sized_for(
    options: FitConfig, tokens: int, count_steps: Callable[[int], int], *, by_heart: bool
) -> SizedFitConfig:
    """Returns `options` with all defaults filled in, for a training split of so many target
    `tokens`. `count_steps` returns the batches per epoch for a number of tokens per batch."""
    batch_tokens = options.batch_tokens or min(
        MAX_BATCH_TOKENS, max(MIN_BATCH_TOKENS, tokens // BATCHES)
    )
    steps = count_steps(batch_tokens)
    epochs = options.epochs or min(MAX_EPOCHS, max(MIN_EPOCHS, -(-STEPS // steps)))
    rate = options.learning_rate or (LEARNING_RATE_BY_HEART if by_heart else LEARNING_RATE)
    total = steps * epochs
    warmup = options.warmup_steps
    if warmup is None:
        warmup = min(MAX_WARMUP_STEPS, int(WARMUP_SHARE * total))
    sizes = {
        "batch_tokens": batch_tokens,
        "epochs": epochs,
        "learning_rate": rate,
        "warmup_steps": min(warmup, int(MAX_WARMUP_SHARE * total)),
    }
    return SizedFitConfig(**{**options.model_dump(), **sizes})


def shape_by_heart(shape: NetworkShape) -> NetworkShape:
    """Returns the network to learn by heart: `SHAPE_BY_HEART`, or the recipe's network, without
    dropout unless the recipe sets it."""
    if not shape.model_fields_set:
        return SHAPE_BY_HEART
    if "dropout" in shape.model_fields_set:
        return shape
    return shape.model_copy(update={"dropout": 0.0})


def network_config(
    recipe: Recipe, source_vocab_size: int, target_vocab_size: int, *, by_heart: bool
) -> NetworkConfig:
    """Returns the recipe's network, or the one to learn by heart, with its vocabulary sizes.

    Raises:
        ConfigError: if the sizes do not fit the network.
    """
    shape = shape_by_heart(recipe.network) if by_heart else recipe.network
    sizes = {"source_vocab_size": source_vocab_size, "target_vocab_size": target_vocab_size}
    return NetworkConfig.parse({**shape.model_dump(), **sizes}, where="[network]")
