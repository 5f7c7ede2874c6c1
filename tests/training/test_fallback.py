from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from model.config import SearchOptions
from model.folder import QUESTIONS_FILE
from model.known_questions import KnownQuestions
from training import fallback
from training.errors import CorpusError
from training.fallback import fallback_of
from training.prepare.prepare import PreparedCorpus, prepare
from training.recipe import Recipe

REPLY = "I don't know."
FAQ = Path(__file__).parents[2] / "recipes" / "faq.tsv"


def recipe_in(folder: Path, **search: object) -> Recipe:
    values = {
        "name": "faq",
        "task": "reply",
        "languages": ["en"],
        "output": str(folder),
        "corpus": {
            "sources": [{"format": "exchanges", "path": "faq.tsv"}],
            "dev_fraction": 0.0,
            "test_fraction": 0.0,
        },
        "tokenizer": {"vocab_size": 500, "lowercase_source": True},
        "search": {"fallback_reply": REPLY, **search},
    }
    return Recipe.parse(values, where="test")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faq")
    shutil.copy(FAQ, folder / "faq.tsv")
    return folder


@pytest.fixture(scope="module")
def corpus(folder: Path) -> PreparedCorpus:
    return prepare(recipe_in(folder), folder / "faq.toml")


def test_most_left_out_questions_are_refused_and_most_variants_accepted(
    folder: Path, corpus: PreparedCorpus
) -> None:
    found = fallback_of(recipe_in(folder), corpus)
    assert found.metrics["left_out_questions_refused_at_least_percent"] >= 80
    assert found.metrics["variants_of_questions_accepted_percent"] >= 90
    threshold = found.search.min_confidence
    assert threshold is not None and 0.4 < threshold < 0.9
    assert found.search.fallback_reply == REPLY
    assert found.summary[0].startswith(f"fallback reply below a confidence of {threshold}: ")


def test_every_question_of_the_training_part_is_known(folder: Path, corpus: PreparedCorpus) -> None:
    questions = KnownQuestions.parse(fallback_of(recipe_in(folder), corpus).files[QUESTIONS_FILE])
    for line in FAQ.read_text("utf-8").splitlines():
        question, answer = line.split("\t")
        written = corpus.tokenizer.target_text(corpus.tokenizer.target_ids(answer))
        assert questions.confidence(question.upper(), written) == 1.0


def test_a_recipe_may_have_a_threshold_of_its_own(folder: Path, corpus: PreparedCorpus) -> None:
    found = fallback_of(recipe_in(folder, min_confidence=0.25), corpus)
    assert found.search.min_confidence == 0.25
    assert found.metrics["left_out_questions_refused_at_least_percent"] < 80


def test_without_a_fallback_reply_there_is_nothing_to_know(
    folder: Path, corpus: PreparedCorpus
) -> None:
    found = fallback_of(recipe_in(folder, fallback_reply=""), corpus)
    assert (found.search, found.files, found.metrics, found.summary) == (
        SearchOptions(),
        {},
        {},
        [],
    )


def test_questions_that_are_alike_must_not_cost_the_known_ones(tmp_path: Path) -> None:
    fruits = "apples pears plums grapes figs dates limes lemons melons cherries".split()
    rows = (
        f"What does a kilo of {name} cost today?\t{i} euros.\n" for i, name in enumerate(fruits)
    )
    (tmp_path / "faq.tsv").write_text("".join(rows))
    recipe = recipe_in(tmp_path)
    found = fallback_of(recipe, prepare(recipe, tmp_path / "faq.toml"))
    assert found.metrics["variants_of_questions_accepted_percent"] >= 90


def test_one_answer_leaves_nothing_to_leave_out(tmp_path: Path) -> None:
    (tmp_path / "faq.tsv").write_text("Who?\tYou.\nWho is it?\tYou.\n")
    recipe = recipe_in(tmp_path)
    found = fallback_of(recipe, prepare(recipe, tmp_path / "faq.toml"))
    assert found.search.min_confidence == fallback.DEFAULT_CONFIDENCE
    assert "left_out_questions_refused_at_least_percent" not in found.metrics


def test_too_many_questions_are_refused(
    folder: Path, corpus: PreparedCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fallback, "MAX_QUESTIONS", 10)
    with pytest.raises(CorpusError, match=r"fallback_reply supports at most 10\."):
        fallback_of(recipe_in(folder), corpus)


def test_a_translation_has_no_fallback(folder: Path) -> None:
    values = recipe_in(folder).model_dump()
    values |= {"task": "translate", "languages": ("en", "de")}
    values["corpus"]["sources"] = [{"format": "pairs", "path": "faq.tsv"}]
    with pytest.raises(ValueError, match="fallback_reply needs task 'reply'"):
        Recipe.parse(values, where="test")
