from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model.folder import CARD_FILE, load_folder
from model.generator import Generator
from training.corpus.prepare import open_prepared
from training.evaluation import report
from training.evaluation.report import evaluate
from training.recipe import Recipe


def test_scores_are_all_that_changes_whatever_became_of_the_recipe(
    fitted: Path, make_recipe: Callable[..., Recipe]
) -> None:
    before = load_folder(fitted / "model").config
    changed = make_recipe(fitted, decoder_units=24, learning_rate=0.5)
    evaluate(changed.model_copy(update={"name": "other"}))
    after = load_folder(fitted / "model").config

    scores = after.training["metrics"]
    assert {"test_perplexity", "test_greedy_exact_match", "dev_loss"} <= scores.keys()
    kept = before.model_dump(exclude={"training": {"metrics"}, "sha256": {CARD_FILE}})
    assert after.model_dump(exclude={"training": {"metrics"}, "sha256": {CARD_FILE}}) == kept
    card = (fitted / "model" / CARD_FILE).read_text()
    assert card.startswith("# echo\n")
    assert f"| test perplexity | {scores['test_perplexity']} |" in card
    assert "## Samples" in card
    assert Generator.load(fitted / "model").generate(["one two"])


def test_answers_are_asked_for_all_over_the_test_part(
    fitted: Path, make_recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MOST_ANSWERS", 3)
    recipe = make_recipe(fitted)
    evaluate(recipe)
    test = open_prepared(recipe).test
    told = (fitted / "report.md").read_text().splitlines()[-3:]
    expected = [test.source_turns(i)[-1] for i in (0, (len(test) - 1) // 2, len(test) - 1)]
    assert [line.split(" | ")[0].removeprefix("| ") for line in told] == expected
