from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.config import NetworkShape
from tests.training.conftest import write_examples
from training.fit.sizing import shape_by_heart, sized_options
from training.prepare.shards import Shard
from training.recipe import FitConfig


def shard_of(folder: Path, *, examples: int, tokens: int) -> Shard:
    """Examples whose targets have so many tokens, the end of sentence counted."""
    ids = np.arange(5, 5 + tokens - 1, dtype=np.int32).tolist()
    return write_examples(folder / "a.arrow", [(ids, ids)] * examples)


@pytest.mark.parametrize(
    ("examples", "batch_tokens", "epochs"),
    [
        (300, 512, 100),  # 6 steps an epoch, and no more than 100 epochs
        (10_000, 781, 20),
        (100_000, 2048, 10),  # enough steps in ten epochs
    ],
)
def test_a_small_corpus_makes_enough_steps(
    tmp_path: Path, examples: int, batch_tokens: int, epochs: int
) -> None:
    options = sized_options(FitConfig(), shard_of(tmp_path, examples=examples, tokens=10))
    assert (options.batch_tokens, options.epochs) == (batch_tokens, epochs)


def test_what_a_recipe_sets_stays(tmp_path: Path) -> None:
    shard = shard_of(tmp_path, examples=300, tokens=10)
    by_heart = sized_options(FitConfig(), shard, by_heart=True)
    assert by_heart.learning_rate > sized_options(FitConfig(), shard).learning_rate
    own = FitConfig(batch_tokens=1024, epochs=3, learning_rate=0.5, warmup_steps=0)
    assert sized_options(own, shard).model_dump() == own.model_dump()
    assert sized_options(FitConfig(batch_tokens=1024), shard).epochs == 100


def test_the_warm_up_fits_the_run(tmp_path: Path) -> None:
    shard = shard_of(tmp_path, examples=10_000, tokens=10)

    def sized(epochs: int, **options: int) -> int:
        wanted = FitConfig(batch_tokens=1000, epochs=epochs, **options)
        return sized_options(wanted, shard).warmup_steps

    assert sized(10) == 50  # of 1,000 steps
    assert sized(1000) == 1000
    assert sized(1, warmup_steps=4000) == 50
    assert sized(10, warmup_steps=0) == 0


def test_by_heart_learns_a_small_network_without_dropout_unless_the_recipe_has_its_own() -> None:
    small = shape_by_heart(NetworkShape())
    assert small.dropout == 0.0
    assert small.decoder_units < NetworkShape().decoder_units
    own = NetworkShape(encoder_units=32, decoder_units=64, attention="dot", dropout=0.1)
    assert shape_by_heart(own) == own
    deep = shape_by_heart(NetworkShape(encoder_layers=2))
    assert (deep.encoder_layers, deep.decoder_units, deep.dropout) == (2, 512, 0.0)
