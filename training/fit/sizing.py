"""Defaults of options that depend on the size of the corpus.

A network needs enough steps. A small corpus gives too few in ten epochs of large batches, so its
batches are smaller and its epochs more. A corpus that is learnt by heart need not generalise: its
learning rate is higher, and its network has wide embeddings, which store most of the corpus, and
narrow recurrent layers, which are fast.
"""

from __future__ import annotations

from pydantic import Field

from model.config import NetworkConfig, NetworkShape
from training.fit.batches import plan_batches
from training.prepare.prepare import PreparedCorpus
from training.prepare.shards import Shard
from training.recipe import FitConfig, Recipe

#: Target tokens of a batch; a corpus of fewer than `BATCHES` such batches gets smaller ones.
LEAST_BATCH_TOKENS, MOST_BATCH_TOKENS, BATCHES = 512, 2048, 128
#: Epochs, and the steps that a small corpus is to reach with more epochs.
LEAST_EPOCHS, MOST_EPOCHS, STEPS = 10, 100, 2500
#: Highest learning rate.
LEARNING_RATE, LEARNING_RATE_BY_HEART = 0.001, 0.004
#: The network of a recipe without `[network]` that learns by heart.
SHAPE_BY_HEART = NetworkShape(embedding_units=512, encoder_units=64, decoder_units=128, dropout=0.0)


class SizedFitConfig(FitConfig):
    """`[fit]` of a recipe with all defaults filled in."""

    batch_tokens: int = Field(ge=16)
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0.0)


def sized_options(options: FitConfig, train: Shard, *, by_heart: bool = False) -> SizedFitConfig:
    """Returns `options` with all defaults filled in.

    Args:
        options: options of the recipe.
        train: the training part.
        by_heart: whether there is no other part to score.
    """
    tokens = int((train.target_lengths + 1).sum())
    batch_tokens = options.batch_tokens or min(
        MOST_BATCH_TOKENS, max(LEAST_BATCH_TOKENS, tokens // BATCHES)
    )
    steps = len(plan_batches(train, batch_tokens, seed=0, epoch=0))
    epochs = options.epochs or min(MOST_EPOCHS, max(LEAST_EPOCHS, -(-STEPS // steps)))
    rate = options.learning_rate or (LEARNING_RATE_BY_HEART if by_heart else LEARNING_RATE)
    sizes = {"batch_tokens": batch_tokens, "epochs": epochs, "learning_rate": rate}
    return SizedFitConfig(**{**options.model_dump(), **sizes})


def shape_by_heart(shape: NetworkShape) -> NetworkShape:
    """Returns the network that learns by heart: `SHAPE_BY_HEART`, or the recipe's own, without
    dropout unless the recipe sets it."""
    if not shape.model_fields_set:
        return SHAPE_BY_HEART
    if "dropout" in shape.model_fields_set:
        return shape
    return shape.model_copy(update={"dropout": 0.0})


def network_config(recipe: Recipe, corpus: PreparedCorpus) -> NetworkConfig:
    """Returns the recipe's network with the sizes of the corpus' vocabularies; one that learns by
    heart where there is no dev part.

    Raises:
        ConfigError: if the sizes do not fit the network.
    """
    sizes = {
        "source_vocab_size": corpus.tokenizer.source_vocab_size,
        "target_vocab_size": corpus.tokenizer.target_vocab_size,
    }
    shape = recipe.network if len(corpus.dev) else shape_by_heart(recipe.network)
    return NetworkConfig.parse({**shape.model_dump(), **sizes}, where="[network]")
