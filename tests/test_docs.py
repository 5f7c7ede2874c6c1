"""What the docs say is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.generate import DOCS, TABLES, filled
from training.recipe import read_recipe

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")


@pytest.mark.parametrize("name", TABLES)
def test_generated_tables_are_fresh(name: str) -> None:
    assert (DOCS / name).read_text() == filled(DOCS / name), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda p: p.name)
def test_every_recipe_is_valid(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.name
    assert recipe.output.startswith("runs/")
