from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.config import Task
from training.prepare.advice import Note, expectation_of, has_few, notes_of, nothing_left
from training.recipe import Recipe


def recipe_of(**corpus: Any) -> Recipe:
    source = {"format": "pairs", "path": "pairs.tsv"}
    values = {
        "name": "test",
        "task": "translate",
        "output": "run",
        "corpus": {"sources": [source], **corpus},
    }
    return Recipe.parse(values, where="test")


def report_of(
    *, train: int = 30_000, dev: int = 300, test: int = 300, how: str = "fractions", **changes: Any
) -> dict[str, Any]:
    kept = {"train": train, "dev": dev, "test": test}
    report = {
        "kept": kept,
        "dropped": {},
        "faults": 0,
        "tokens": {"train": {side: {"unknown_percent": 0.1} for side in ("source", "target")}},
        "sources": [{"kept": kept, "fault_samples": []}],
        "drawn": {"how": how, "groups": 1},
        "inactive_rules": {},
    }
    return report | changes


def test_a_large_clean_corpus_needs_no_note() -> None:
    assert notes_of(report_of(), recipe_of()) == []


def test_a_language_code_that_nobody_knows_is_named() -> None:
    inactive = {"language": "'jp' is not a known language", "script": "'jp' is not ..."}
    recipe = recipe_of().model_copy(update={"languages": ("en", "jp")})
    [note] = notes_of(report_of(inactive_rules=inactive), recipe)
    assert note.text == (
        "`languages`: 'jp' is not a known language, so no text is checked by `language` and "
        "`script`."
    )
    assert notes_of(report_of(inactive_rules=inactive), recipe_of()) == []  # names no languages


def test_a_small_part_is_named_with_its_size() -> None:
    [note] = notes_of(report_of(dev=12), recipe_of())
    assert (
        note.text
        == "dev has 12 examples, so scores are imprecise. Add files, or raise dev_fraction."
    )
    [note] = notes_of(report_of(dev=1, test=49), recipe_of())
    assert note.text.startswith(
        "dev has 1 example and test has 49 examples, so scores are imprecise."
    )


def test_tokens_that_are_unknown_ask_for_another_tokenizer() -> None:
    tokens = {"train": {"source": {"unknown_percent": 1.0}, "target": {"unknown_percent": 36.3}}}
    [note] = notes_of(report_of(tokens=tokens), recipe_of())
    assert note.text.startswith("36% of the target tokens are unknown. Raise tokenizer.vocab_size")
    tuned = recipe_of().model_copy(update={"start_from": "models/default"})
    [note] = notes_of(report_of(tokens=tokens), tuned)
    assert note.text.endswith("leave out start_from.")
    of_dev = {**report_of()["tokens"], "dev": tokens["train"]}
    [note] = notes_of(report_of(tokens=of_dev), recipe_of())
    assert note.text.startswith(
        "36% of the target tokens are unknown. Those of train are known: ad"
    )


def test_a_small_part_that_was_given_needs_a_larger_source() -> None:
    sources = [
        {"format": "pairs", "path": f"{part}.tsv", "split": part}
        for part in ("train", "dev", "test")
    ]
    [note] = notes_of(report_of(dev=12, how="given"), recipe_of(sources=sources))
    assert note.text.endswith("Add files to the sources with this `split`.")


def test_few_examples_to_train_on_need_more_unless_a_model_is_fine_tuned() -> None:
    report = report_of(train=300)
    assert expectation_of(report, recipe_of()).endswith("Add files, or set start_from.")
    assert "Add files" not in expectation_of(report_of(), recipe_of())
    tuned = recipe_of().model_copy(update={"start_from": "models/default"})
    assert "300 examples to fine-tune" in expectation_of(report, tuned)
    assert not has_few(report, tuned)


def test_a_model_of_other_languages_does_not_know_the_language() -> None:
    tuned = recipe_of().model_copy(update={"start_from": "models/en-de"})
    for languages, said in (
        (("en", "de"), "which already knows the language."),
        (("fr", "en"), "which knows en de, not fr en: leave out start_from"),
    ):
        recipe = tuned.model_copy(update={"languages": languages})
        assert said in expectation_of(report_of(), recipe)


def test_few_examples_are_enough_to_learn_by_heart() -> None:
    by_heart = recipe_of(dev_fraction=0)
    assert expectation_of(report_of(train=1), by_heart).startswith("1 example to train on")
    assert expectation_of(report_of(train=300), by_heart).endswith("hardly anything else.")


@pytest.mark.parametrize(
    ("task", "examples", "learns"),
    [
        ("reply", 999, "these sentences"),
        ("reply", 1000, "commands"),
        ("reply", 499_999, "narrow"),
        ("reply", 500_000, "everyday"),
        ("translate", 1000, "much like these"),
        ("translate", 20_000, "narrow"),
        ("translate", 100_000, "everyday"),
    ],
)
def test_more_examples_teach_more(task: Task, examples: int, learns: str) -> None:
    recipe = recipe_of().model_copy(update={"task": task})
    assert learns in expectation_of(report_of(train=examples), recipe)


@pytest.mark.parametrize(
    ("corpus", "cause"),
    [
        ({"test_fraction": 0.0}, "test_fraction is 0"),
        (
            {"sources": [{"format": "pairs", "path": "a.tsv", "split": "train"}]},
            'no source has split = "auto" or "test"',
        ),
        ({}, "dropped again"),
    ],
)
def test_a_missing_test_part_has_its_cause(corpus: dict[str, Any], cause: str) -> None:
    [note] = notes_of(report_of(test=0), recipe_of(**corpus))
    assert "`evaluate` scores examples that `fit` has seen" in note.text
    assert cause in note.text


def test_stretches_are_named() -> None:
    [note] = notes_of(report_of(how="stretches"), recipe_of())
    assert "score better than another film would" in note.text


def test_what_was_lost_is_named_with_its_place() -> None:
    dropped = {"language": 60_000, "train: duplicate": 10}
    assert notes_of(report_of(dropped=dropped, faults=2_000), recipe_of()) == [
        Note(
            "60,010 of 90,610 examples were left out, most of them by `language` (60,000). Check "
            "that `languages` match the files, in the same order (or set `swap`).",
            "left-out",
        ),
        Note(
            "2,000 of 92,610 records could not be read. Fix the files, or check `format`.",
            "unreadable",
        ),
    ]


def test_records_that_cannot_be_read_come_with_a_sample() -> None:
    report = report_of(faults=2_000)
    report["sources"][0]["fault_samples"] = ["a.tsv:7: a line", "a.tsv:9: a line"]
    [note] = notes_of(report, recipe_of())
    assert "records could not be read (a.tsv:7: a line). Fix the files" in note.text


def error_of(part: str, examples: int, recipe: Recipe | None = None, **changes: Any) -> str:
    report = report_of(**changes)
    return str(nothing_left(part, report, examples, recipe or recipe_of(), Path("r.toml")))


def test_an_empty_part_has_numbers_cause_and_remedy() -> None:
    dropped = {"length": 3, "train: target too long": 190, "dev: target too long": 5}
    assert error_of("train", 200, dropped=dropped) == (
        "r.toml: nothing is left for train. Of 200 examples, these were left out: 190 target "
        "too long, 3 length; 0 unreadable. Raise corpus.max_target_tokens."
    )


def test_a_rule_that_drops_all_is_named() -> None:
    assert "Remove the rule `repeats` from" in error_of("dev", 9, dropped={"repeats": 9})


@pytest.mark.parametrize("part", ["train", "dev"])
def test_too_few_examples_need_more(part: str) -> None:
    assert error_of(part, 1) == (
        f"r.toml: nothing is left for {part}: 1 example, too few or too much alike to hold any "
        "out; 0 unreadable. Add files, or set dev_fraction = 0 to learn all of them by heart."
    )


def test_a_corpus_without_dev_is_said_to_be_learnt_by_heart() -> None:
    [note] = notes_of(report_of(dev=0), recipe_of(dev_fraction=0.0))
    assert "learns the training split by heart" in note.text


def test_files_without_a_record_are_named_with_a_sample() -> None:
    sources = [{"kept": {}, "fault_samples": ["a.tsv:1: expected source TAB target"]}]
    assert error_of("train", 0, faults=7, sources=sources) == (
        "r.toml: nothing is left for train: no record was read, 7 unreadable "
        "(a.tsv:1: expected source TAB target). Check path and format."
    )
