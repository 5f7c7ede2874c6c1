from __future__ import annotations

import re
from pathlib import Path

import pytest

from training.errors import RecipeError
from training.recipe_file import data_folder, read_complete_recipe, read_recipe

RECIPES = sorted(Path("recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_ours_is_right(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.output == f"runs/{path.stem}"
    assert recipe.description
    assert recipe.licence


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


@pytest.mark.parametrize("turns", [1, 2])
def test_a_history_needs_a_model_that_reads_it(tmp_path: Path, turns: int) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        f'name = "a"\ntask = "reply"\noutput = "a"\n[tokenizer]\ncontext_turns = {turns}\n'
        '[corpus]\nsources = [{ format = "exchanges", path = "a.tsv", variants = ["history"] }]\n'
    )
    if turns == 1:
        with pytest.raises(RecipeError, match=r"needs context_turns = 2 or more in \[tokenizer\]"):
            read_complete_recipe(path)
    else:
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
