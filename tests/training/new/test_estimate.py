"""How long a recipe takes here, and in which precision."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from tests.training.new.test_survey import ENGLISH, FRENCH, write_rows
from training.new import estimate
from training.new.estimate import choose_precision
from training.new.survey import Survey, survey
from training.recipe import Recipe

LONG = 10 * estimate.WORTH_CHOOSING_SECONDS
SHORT = 0.1 * estimate.WORTH_CHOOSING_SECONDS


@pytest.fixture
def found(tmp_path: Path) -> Survey:
    return survey([write_rows(tmp_path / "a.tsv", ENGLISH, FRENCH)], languages=())


def recipe_of(found: Survey) -> Recipe:
    return Recipe(
        name="a",
        task="translate",
        output="runs/a",
        corpus={"sources": [source.config for source in found.sources]},
        network={"embedding_units": 8, "encoder_units": 8, "decoder_units": 8},
    )


@pytest.mark.parametrize(
    ("seconds", "half_seconds", "expected"),
    [
        (LONG, 0.5 * LONG, "mixed_bfloat16"),
        (LONG, 0.95 * LONG, "float32"),
        (LONG, 3.0 * LONG, "float32"),
        (SHORT, 0.5 * SHORT, "float32"),  # not worth another measurement
    ],
)
def test_a_long_run_takes_the_precision_that_is_faster_here(
    found: Survey,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    half_seconds: float,
    expected: str,
) -> None:
    seconds_of = {"float32": seconds, "mixed_bfloat16": half_seconds}
    monkeypatch.setattr(
        estimate, "_estimate_seconds", lambda recipe, _: seconds_of[recipe.fit.precision]
    )
    assert choose_precision(recipe_of(found), found) == (expected, seconds_of[expected])


def test_measuring_half_precision_changes_nothing_else(
    found: Survey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimate, "WORTH_CHOOSING_SECONDS", 0.0)
    _, seconds = choose_precision(recipe_of(found), found)
    assert seconds > 0.0
    assert keras.config.dtype_policy().name == "float32"
