"""What the docs say is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from docs.generate import ROOT, TABLES, filled
from training.formats import FORMATS
from training.recipe import Recipe
from training.recipe_file import read_recipe

CARDS = [*ROOT.glob("models/*/README.md"), *ROOT.glob("recipes/*/README.md")]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *sorted(CARDS)]
LINK = re.compile(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)")


def snippets(language: str) -> list[str]:
    """Returns the code blocks of a language on all pages."""
    block = re.compile(rf"^```{language}\n(.*?)^```", re.DOTALL | re.MULTILINE)
    return [code for page in PAGES for code in block.findall(page.read_text())]


def anchors_of(page: Path) -> set[str]:
    """Returns the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


EXAMPLES = snippets("python")
RECIPES = snippets("toml")


@pytest.mark.parametrize("name", TABLES)
def test_generated_tables_are_fresh(name: str) -> None:
    assert (ROOT / name).read_text() == filled(name), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors_of(target), f"{path}#{anchor}"


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_python_example_runs_and_builds_its_model(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, Any] = {}
    exec(compile(example, "docs", "exec"), names)
    model = names.get("model")
    assert model is None or (model.built and model.count_params() > 0)


@pytest.mark.parametrize("example", RECIPES, ids=range(len(RECIPES)))
def test_every_part_of_a_recipe_is_valid(example: str) -> None:
    part = tomllib.loads(example)
    default = {"format": "jsonl", "path": "a.jsonl"}
    corpus = {"sources": part.pop("sources", [default])} | part.pop("corpus", {})
    tasks = [FORMATS[source["format"]].tasks for source in corpus["sources"]]
    task = next(task for task in ("reply", "translate") if all(task in each for each in tasks))
    languages = ["en", "de"] if task == "translate" else ["en"]
    values = {"name": "a", "task": task, "output": "a", "languages": languages, "corpus": corpus}
    recipe = Recipe.parse(values | part, where="docs").model_dump(exclude_unset=True)
    assert part.keys() <= recipe.keys() and len(recipe["corpus"]["sources"]) >= 1


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.name)
def test_every_recipe_is_valid(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name
    assert recipe.output.startswith("runs/")
