"""Options of `fit` that a recipe leaves open: they follow from the size of the corpus.

What a network needs is steps. A small corpus makes too few of them in ten epochs of large batches,
so its batches are smaller and its epochs more.
"""

from __future__ import annotations

from pydantic import Field

from training.batches import plan_batches
from training.corpus.shards import Shard
from training.recipe import FitConfig

#: Target tokens of a batch; a corpus of fewer than `BATCHES` such batches gets smaller ones.
LEAST_BATCH_TOKENS, MOST_BATCH_TOKENS, BATCHES = 256, 2048, 128
#: Epochs, and the steps that a small corpus makes in as many as it needs.
LEAST_EPOCHS, MOST_EPOCHS, STEPS = 10, 100, 2500


class SizedFitConfig(FitConfig):
    """`[fit]` of a recipe with nothing left open."""

    batch_tokens: int = Field(ge=16)
    epochs: int = Field(ge=1)


def sized_options(options: FitConfig, train: Shard) -> SizedFitConfig:
    """Returns `options` with `batch_tokens` and `epochs` filled in where they are open.

    Args:
        options: of the recipe.
        train: the examples to learn.
    """
    tokens = int((train.target_lengths + 1).sum())
    batch_tokens = options.batch_tokens or min(
        MOST_BATCH_TOKENS, max(LEAST_BATCH_TOKENS, tokens // BATCHES)
    )
    steps = len(plan_batches(train, batch_tokens, seed=0, epoch=0))
    epochs = options.epochs or min(MOST_EPOCHS, max(LEAST_EPOCHS, -(-STEPS // steps)))
    sizes = {"batch_tokens": batch_tokens, "epochs": epochs}
    return SizedFitConfig(**{**options.model_dump(), **sizes})
