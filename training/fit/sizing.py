"""Options that a recipe leaves open: they follow from the size of the corpus.

What a network needs is steps. A small corpus makes too few of them in ten epochs of large batches,
so its batches are smaller and its epochs more. What is learnt by heart need not hold for anything
else: its rate is higher, and its network has wide vectors of tokens, which keep most of it, and
narrow recurrent layers, which are quick.
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
#: Epochs, and the steps that a small corpus makes in as many as it needs.
LEAST_EPOCHS, MOST_EPOCHS, STEPS = 10, 100, 2500
#: Highest learning rate.
LEARNING_RATE, LEARNING_RATE_BY_HEART = 0.001, 0.004
#: The network of a recipe without `[network]` that learns by heart.
SHAPE_BY_HEART = NetworkShape(embedding_units=512, encoder_units=64, decoder_units=128, dropout=0.0)


class SizedFitConfig(FitConfig):
    """`[fit]` of a recipe with nothing left open."""

    batch_tokens: int = Field(ge=16)
    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0.0)


def sized_options(options: FitConfig, train: Shard, *, by_heart: bool = False) -> SizedFitConfig:
    """Returns `options` with all filled in that is open.

    Args:
        options: of the recipe.
        train: the examples to learn.
        by_heart: whether there are no others to be scored on.
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
    dropout unless that is its own too."""
    if not shape.model_fields_set:
        return SHAPE_BY_HEART
    if "dropout" in shape.model_fields_set:
        return shape
    return shape.model_copy(update={"dropout": 0.0})


def network_config(recipe: Recipe, corpus: PreparedCorpus) -> NetworkConfig:
    """Returns the recipe's network with the sizes of the corpus' vocabularies; one that learns by
    heart where there is no dev part.

    Raises:
        ConfigError: if they do not go together.
    """
    sizes = {
        "source_vocab_size": corpus.tokenizer.source_vocab_size,
        "target_vocab_size": corpus.tokenizer.target_vocab_size,
    }
    shape = recipe.network if len(corpus.dev) else shape_by_heart(recipe.network)
    return NetworkConfig.parse({**shape.model_dump(), **sizes}, where="[network]")
