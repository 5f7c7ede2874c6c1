from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from model.errors import ConfigError
from training.errors import RecipeError
from training.recipe import Recipe, data_folder, read_complete_recipe, read_recipe

RECIPES = sorted(Path("recipes").glob("*.toml"))


def values(**changes: Any) -> dict[str, Any]:
    source = {"format": "pairs", "path": "a.tsv"}
    start = {"name": "a", "task": "translate", "output": "runs/a", "corpus": {"sources": [source]}}
    return {**start, **changes}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_ours_is_right(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.output == f"runs/{path.stem}"
    assert recipe.description
    assert recipe.licence


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
        ({"name": "a b"}, "name: use letters, digits, -, _ and . only. Received: a b"),
        ({"task": "reply"}, "format 'pairs' does not support task 'reply'"),
        ({"corpus": {"sources": []}}, "corpus.sources: "),
        ({"corpus": {"sources": [{"format": "bitext", "path": "a"}]}}, "target_path"),
        (
            {"corpus": {"sources": [{"format": "pairs", "path": "a", "target_path": "b"}]}},
            "target_path",
        ),
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
        ({"tokenizer": {"vocab_size": 2**40}}, "tokenizer.vocab_size: "),
        ({"fit": {"seed": 2**32}}, "fit.seed: "),
    ],
)
def test_a_wrong_key_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Recipe.parse(values(**changes), where="a.toml")
    assert said in str(caught.value)
    assert "a.toml" in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"name = ", b"\xff\xfe", b'name = "a"', b"name = " + b"[" * 5000]
)
def test_a_file_that_is_no_recipe_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"a\.toml"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ('task = "translate"\n', "is a model of task 'reply'"),
        ('task = "reply"\n[tokenizer]\ntype = "bpe"\n', "[tokenizer] comes from"),
        ('task = "reply"\n[network]\ndropout = 0.3\n', "[network] comes from"),
    ],
)
def test_what_a_model_to_start_from_decides_cannot_be_changed(
    tmp_path: Path, changes: str, said: str
) -> None:
    format_ = "pairs" if "translate" in changes else "exchanges"
    path = tmp_path / "a.toml"
    path.write_text(
        f'name = "a"\noutput = "a"\nstart_from = "models/default"\n{changes}'
        f'[corpus]\nsources = [{{ format = "{format_}", path = "a.tsv" }}]\n'
    )
    with pytest.raises(RecipeError, match=re.escape(said)):
        read_complete_recipe(path)


def test_a_recipe_does_not_start_from_the_model_that_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").symlink_to(Path("models/default").resolve())
    monkeypatch.chdir(tmp_path)
    path = write_start(tmp_path / "a.toml", "model")
    read_complete_recipe(path)
    path.write_text(path.read_text().replace('output = "a"', 'output = "."'))
    with pytest.raises(RecipeError, match="is the model that this recipe writes"):
        read_complete_recipe(path)


def test_a_recipe_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = write_start(tmp_path / "a.toml", "models/default")
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert read_recipe(path).name == "a"


@pytest.mark.parametrize("name", ["none.toml", "."])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / name)


def test_the_data_folder_can_be_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQ2SEQ_DATA", "elsewhere")
    assert data_folder() == Path("elsewhere")
    monkeypatch.delenv("SEQ2SEQ_DATA")
    assert data_folder() == Path("../shared/data")


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


@pytest.mark.parametrize("place", ["beside", "working", "data"])
def test_a_model_to_start_from_is_looked_up_as_sources_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    model = Path("models/default").resolve()
    for name in ("beside", "working", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / place / "start").symlink_to(model)
    monkeypatch.setenv("SEQ2SEQ_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path / "working")
    path = write_start(tmp_path / "beside" / "a.toml", "start")
    assert Path(read_complete_recipe(path).start_from).resolve() == model
    other = write_start(path, "none")
    with pytest.raises(RecipeError) as caught:
        read_complete_recipe(other)
    for name in ("beside", "working", "data"):
        assert str(tmp_path / name) in str(caught.value)


def write_start(path: Path, start: str) -> Path:
    path.write_text(
        f'name = "a"\ntask = "reply"\noutput = "a"\nstart_from = "{start}"\n'
        '[corpus]\nsources = [{ format = "exchanges", path = "a.tsv" }]\n'
    )
    return path
