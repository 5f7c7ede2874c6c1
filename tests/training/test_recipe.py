from __future__ import annotations

import math
from typing import Any

import pytest

from model.errors import ConfigError
from training.recipe import Recipe

REPLIES = {"format": "table", "path": "a", "columns": ["text"], "reply_columns": ["id", "to"]}


def values(**changes: Any) -> dict[str, Any]:
    source = {"format": "pairs", "path": "a.tsv"}
    start = {"name": "a", "task": "translate", "output": "runs/a", "corpus": {"sources": [source]}}
    return {**start, **changes}


def test_columns_may_be_numbers() -> None:
    source = {"format": "table", "path": "a.tsv", "columns": [2, 4], "group_column": 1}
    recipe = Recipe.parse(values(corpus={"sources": [source]}), where="a.toml")
    assert recipe.corpus.sources[0].columns == ("2", "4")
    assert recipe.corpus.sources[0].group_column == "1"


def test_a_recipe_survives_a_round_trip() -> None:
    recipe = Recipe.parse(values(), where="test")
    assert Recipe.parse(recipe.model_dump(mode="json"), where="test") == recipe


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fit": {"epoch": 3}}, "fit.epoch: unknown key; did you mean 'epochs'?"),
        ({"epochs": 3}, "a.toml: epochs: unknown key; it belongs in [fit]"),
        ({"seed": 3}, "seed: unknown key; it belongs in [fit] or in [search]"),
        (
            {"fit": {"description": "x"}},
            "fit.description: unknown key; it belongs above all sections",
        ),
        ({"output": "a\0b"}, "output: a path cannot contain a NUL character"),
        ({"name": "a b"}, "name: use letters, digits, -, _ and . only. Received: a b"),
        ({"task": "reply"}, "format 'pairs' does not support task 'reply'"),
        ({"corpus": {"sources": []}}, "corpus.sources: "),
        ({"corpus": {"sources": [{"format": "bitext", "path": "a"}]}}, "target_path"),
        (
            {"corpus": {"sources": [{"format": "pairs", "path": "a", "target_path": "b"}]}},
            "target_path",
        ),
        (
            {"corpus": {"sources": [REPLIES | {"reply_columns": ["id"]}]}},
            "`reply_columns` are two or three",
        ),
        ({"corpus": {"sources": [REPLIES | {"columns": ["a", "b"]}]}}, "with the one of the text"),
        ({"corpus": {"sources": [REPLIES | {"group_column": "g"}]}}, "and no `group_column`"),
        (
            {"network": {"share_embeddings": True}, "tokenizer": {"shared_vocabulary": False}},
            "share_embeddings needs tokenizer.shared_vocabulary",
        ),
        (
            {"fit": {"subword_sampling": 0.1}, "tokenizer": {"type": "word"}},
            "fit.subword_sampling needs tokenizer.type",
        ),
        (
            {"corpus": {"sources": [{"format": "pairs", "path": "a", "variants": ["openers"]}]}},
            "variant 'openers' needs task 'reply'",
        ),
        (
            {"task": "reply"}
            | {"corpus": {"sources": [{"format": "lines", "path": "a", "variants": ["names"]}]}},
            "variant 'names' needs task 'translate'",
        ),
        (
            {"corpus": {"sources": [{"format": "pairs", "path": "a", "target_tag": "2de"}]}},
            "target_tag: write lower-case letters, digits, - and _ in angle brackets",
        ),
        (
            {"task": "reply", "corpus": {"sources": [{"format": "lines", "path": "a"}]}}
            | {"fit": {"best_by": "bleu"}},
            "fit.best_by = 'bleu' needs task 'translate'",
        ),
        (
            {"task": "reply", "languages": ["fi"]}
            | {"corpus": {"sources": [{"format": "lines", "path": "a", "variants": ["openers"]}]}},
            "variant 'openers' needs `languages`, one of de, en, es, fr",
        ),
        (
            {"corpus": {"sources": [{"format": "pairs", "path": "a", "target_tag": "<s>"}]}},
            "target_tag: every tokenizer has a piece <s>",
        ),
        ({"search": {"blocked_words": ["darn", ""]}}, "search.blocked_words: each must have text"),
        ({"languages": ["en"]}, "`languages` must be two codes"),
        ({"languages": "en"}, "languages: must be a list"),
        ({"network": {"heads": 8}}, "a.toml: network.heads does nothing without attention heads"),
        ({"corpus": {"sources": ["a.tsv"]}}, "corpus.sources.0: must have keys and values"),
        ({"output": "~/runs/a"}, "output: `~` is not expanded"),
        ({"start_from": "~/model"}, "start_from: `~` is not expanded"),
        (
            {"corpus": {"sources": [{"format": "pairs", "path": "~/a.tsv"}]}},
            "corpus.sources.0.path: `~` is not expanded",
        ),
        ({"tokenizer": {"vocab_size": 2**40}}, "tokenizer.vocab_size: "),
        ({"fit": {"seed": 2**32}}, "fit.seed: "),
        ({"fit": {"clip_norm": math.inf}}, "fit.clip_norm: Input should be a finite number"),
    ],
)
def test_a_wrong_key_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Recipe.parse(values(**changes), where="a.toml")
    assert said in str(caught.value)
    assert "a.toml" in str(caught.value)


SOURCES: list[dict[str, Any]] = [
    {"format": "moses", "path": "a"},
    {"format": "tmx", "path": "a"},
    {"format": "tmx", "path": "a", "swap": True},
    {"format": "tmx", "path": "a", "languages": ["fr", "en"], "swap": True},
    {"format": "scan", "path": "a"},
]


def test_sources_take_the_languages_of_the_recipe() -> None:
    given = values(languages=["en", "fr"], corpus={"sources": SOURCES})
    recipe = Recipe.parse(given, where="test")
    assert [source.languages for source in recipe.corpus.sources] == [
        ("en", "fr"),
        ("en", "fr"),
        ("fr", "en"),
        ("fr", "en"),
        (),
    ]
    assert Recipe.parse(recipe.model_dump(mode="json"), where="test") == recipe


@pytest.mark.parametrize("languages", [[], ["en"]])
def test_missing_languages_are_one_error(languages: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Recipe.parse(values(languages=languages, corpus={"sources": SOURCES[:1]}), where="a.toml")
    assert str(caught.value) == (
        "a.toml: corpus.sources.0: format 'moses' needs `languages`, here or at the top of the "
        "recipe"
    )
