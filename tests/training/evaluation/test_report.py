from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from model.config import SearchOptions
from model.folder import CARD_FILE, load_folder
from model.generator import Generator
from training.errors import CorpusError
from training.evaluation import report
from training.evaluation.report import evaluate
from training.fit.loop import fit
from training.prepare.prepare import open_prepared, prepare
from training.recipe import Recipe


def test_scores_and_the_search_are_all_that_changes_whatever_became_of_the_recipe(
    fitted: Path, make_recipe: Callable[..., Recipe]
) -> None:
    before = load_folder(fitted / "model").config
    changed = make_recipe(fitted, decoder_units=24, learning_rate=0.5)
    search = SearchOptions(beam_size=2, length_penalty=0.0)
    evaluate(changed.model_copy(update={"name": "other", "search": search}))
    after = load_folder(fitted / "model").config

    scores = after.training["metrics"]
    assert {"test_greedy_exact_match", "test_beam2_exact_match", "dev_loss"} <= scores.keys()
    assert scores["engine"] == "keras"
    assert scores["test_unigram_entropy"] == pytest.approx(scores["dev_unigram_entropy"], abs=0.5)
    assert after.search == search
    changing: dict[str, Any] = {"training": {"metrics"}, "sha256": {CARD_FILE}, "search": True}
    assert after.model_dump(exclude=changing) == before.model_dump(exclude=changing)
    card = (fitted / "model" / CARD_FILE).read_text()
    assert card.startswith("# echo\n")
    assert f"| test perplexity | {scores['test_perplexity']} |" in card
    assert "## Samples" in card
    assert Generator.load(fitted / "model").generate(["one two"])


def test_answers_are_asked_for_all_over_the_test_part(
    fitted: Path, make_recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MAX_ANSWERS", 3)
    recipe = make_recipe(fitted)
    evaluate(recipe)
    test = open_prepared(recipe).test
    told = (fitted / "report.md").read_text().splitlines()[-3:]
    expected = [test.source_turns(i)[-1] for i in (0, (len(test) - 1) // 2, len(test) - 1)]
    assert [line.split(" | ")[0].removeprefix("| ") for line in told] == expected


def test_one_way_to_search_is_scored_once(fitted: Path, make_recipe: Callable[..., Recipe]) -> None:
    scores = evaluate(make_recipe(fitted))
    assert scores.count("chrF2") == 1
    assert "test_greedy_chrF2" in scores


def test_bars_stay_in_their_cells(fitted: Path, make_recipe: Callable[..., Recipe]) -> None:
    evaluate(make_recipe(fitted))
    for text in ((fitted / "report.md").read_text(), (fitted / "model" / CARD_FILE).read_text()):
        [row] = [line for line in text.splitlines() if "BLEU" in line and "case:mixed" in line]
        assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_scores_do_not_depend_on_the_precision_of_training(
    fitted: Path, make_recipe: Callable[..., Recipe]
) -> None:
    def scores() -> dict[str, Any]:
        evaluate(make_recipe(fitted))
        metrics: dict[str, Any] = load_folder(fitted / "model").config.training["metrics"]
        return metrics

    expected, policy = scores(), keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy("mixed_bfloat16")
        assert scores() == expected
    finally:
        keras.config.set_dtype_policy(policy)


def test_without_a_test_part_dev_is_scored(
    prepared_once: Path, tmp_path: Path, make_recipe: Callable[..., Recipe]
) -> None:
    (tmp_path / "pairs.tsv").write_bytes((prepared_once / "pairs.tsv").read_bytes())
    values = make_recipe(tmp_path).model_dump()
    values["corpus"]["test_fraction"] = 0.0
    recipe = Recipe.parse(values, where="test")
    prepare(recipe, tmp_path / "echo.toml")
    fit(recipe)
    scores = evaluate(recipe)
    assert "dev_greedy_exact_match" in scores
    assert "there is no test split" in scores


def test_files_are_answered_and_compared_with_another_run(
    fitted: Path, make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = make_recipe(fitted)
    before = (fitted / "model" / CARD_FILE).read_text()
    source, target = tmp_path / "new.en", tmp_path / "new.de"
    source.write_text("one two\n\nthree four five\n")
    target.write_text("two one\nnothing\nfive four three\n")
    evaluate(recipe, test=(source, target))
    found = (fitted / "evaluation" / "new.greedy.txt").read_text().splitlines()
    assert len(found) == 3
    assert found[1] == ""  # nothing was asked
    assert "five four three" in (fitted / "evaluation" / "new.html").read_text()
    scores = evaluate(recipe, test=(source, target), against=fitted)
    assert f"greedy against {fitted} greedy: BLEU" in scores
    assert (fitted / "model" / CARD_FILE).read_text() == before

    target.write_text("two one\n")
    with pytest.raises(CorpusError, match="has 3 lines, but"):
        evaluate(recipe, test=(source, target))


def test_files_named_like_a_split_do_not_replace_its_answers(
    fitted: Path, make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = make_recipe(fitted)
    evaluate(recipe)
    kept = (fitted / "evaluation" / "test.source.txt").read_text()
    for name in ("test.en", "test.de"):
        (tmp_path / name).write_text("one two\n")
    evaluate(recipe, test=(tmp_path / "test.en", tmp_path / "test.de"))
    assert (fitted / "evaluation" / "test.source.txt").read_text() == kept
    assert (fitted / "evaluation" / "test-files.source.txt").read_text() == "one two\n"


def test_a_run_is_compared_with_its_own_earlier_answers(
    fitted: Path, make_recipe: Callable[..., Recipe]
) -> None:
    recipe = make_recipe(fitted)
    evaluate(recipe)
    kept = fitted / "evaluation"
    (kept / "test.greedy.txt").write_bytes((kept / "test.reference.txt").read_bytes())
    scores = evaluate(recipe, against=fitted)
    assert re.search(r"greedy: chrF2 [\d.]+ against 100\.00", scores)


def test_a_run_without_answers_is_named_before_the_own_ones_are_replaced(
    fitted: Path, make_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    recipe = make_recipe(fitted)
    with pytest.raises(CorpusError, match="has no answers to test"):
        evaluate(recipe, against=tmp_path)
    assert not (fitted / "evaluation").exists()


def test_two_searches_are_compared(fitted: Path, make_recipe: Callable[..., Recipe]) -> None:
    search = SearchOptions(beam_size=2)
    scores = evaluate(make_recipe(fitted).model_copy(update={"search": search}))
    assert "beam2 against greedy: BLEU" in scores
    assert "test_beam2_TER" in scores
    page = (fitted / "evaluation" / "test.html").read_text()
    assert "<td>greedy</td><td>beam2</td><td>chrF2</td>" in page
