from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from training.checkpoints import load_checkpoint
from training.corpus.prepare import open_prepared, prepare
from training.errors import CheckpointError, DivergenceError
from training.fit import BEST_WEIGHTS_FILE, CHECKPOINT_FILE, Run, fit
from training.recipe import Recipe

MakeRecipe = Callable[..., Recipe]


def test_a_loss_that_is_no_number_ends_a_run_and_a_lower_rate_mends_it(
    prepared: Path, make_recipe: MakeRecipe
) -> None:
    recipe = make_recipe(prepared, learning_rate=1e30, clip_norm=1e30)
    for _ in range(2):  # started again, it says the same
        with pytest.raises(DivergenceError, match=r"loss is (nan|inf) .* lower learning_rate than"):
            fit(recipe)
    checkpoints = prepared / "checkpoints"
    assert not (checkpoints / CHECKPOINT_FILE).exists()
    assert "dev perplexity" in fit(make_recipe(prepared))


def test_a_dev_loss_that_is_no_number_is_not_the_end_of_a_run(
    prepared: Path, make_recipe: MakeRecipe
) -> None:
    options = {"batch_tokens": 4096, "clip_norm": 1e30, "epochs": 2}  # one step an epoch
    with pytest.raises(DivergenceError, match="the dev loss is nan after 1 steps"):
        fit(make_recipe(prepared, learning_rate=1e38, **options))
    assert not list((prepared / "checkpoints").iterdir())


def test_best_weights_that_are_gone_are_named(fitted: Path, make_recipe: MakeRecipe) -> None:
    (fitted / "checkpoints" / BEST_WEIGHTS_FILE).unlink()
    keras.utils.clear_session()  # names of weights are those of a new process
    with pytest.raises(CheckpointError, match=f"{BEST_WEIGHTS_FILE}.*Delete the folder"):
        fit(make_recipe(fitted))


def test_training_ends_when_the_dev_loss_stops_falling(
    tmp_path: Path, make_recipe: MakeRecipe
) -> None:
    draw = random.Random(0)  # nothing to learn: only what is learnt by heart gets better
    lines = [" ".join(draw.choices("abcdefgh", k=3)) for _ in range(400)]
    pairs = [f"{a}\t{b}\n" for a, b in zip(lines[::2], lines[1::2], strict=True)]
    (tmp_path / "pairs.tsv").write_text("".join(pairs))
    recipe = make_recipe(tmp_path, epochs=60, patience=2, learning_rate=0.05, decay="none")
    prepare(recipe, tmp_path / "echo.toml")
    run = Run(recipe, open_prepared(recipe), tmp_path / "checkpoints")
    run.train()

    losses = [score["dev_loss"] for score in run.progress.history]
    best = losses.index(min(losses))
    assert 0 < best
    assert len(losses) == best + 1 + 2 < 60
    saved = load_checkpoint(
        tmp_path / "checkpoints" / CHECKPOINT_FILE, run.network, run.progress.run
    )
    assert saved.finished
    assert run.scorer(run.corpus.dev).loss == pytest.approx(losses[-1])
    run.load_best()
    assert run.scorer(run.corpus.dev).loss == pytest.approx(losses[best])
