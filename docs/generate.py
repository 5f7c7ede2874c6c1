"""Fills the generated tables of the docs: `python -m docs.generate`, or `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from app.settings import settings_table
from model.config import Document
from training.recipe import Recipe

DOCS = Path(__file__).parent


def settings_rows() -> str:
    """Environment variables of the server."""
    rows = (f"| `{name}` | `{default}` | {text} |" for name, default, text in settings_table())
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def recipe_rows() -> str:
    """Keys of a recipe."""
    rows = (f"| `{key}` | {default} | {text} |" for key, default, text in _keys(Recipe, ""))
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])


def _keys(document: type[Document], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in document.model_fields.items():
        inner = _document_of(field)
        if inner is None:
            yield f"{prefix}{name}", _default_of(field), _meaning_of(field)
        else:
            place = f"{name}[]" if get_args(field.annotation) else name
            yield from _keys(inner, f"{prefix}{place}.")


def _document_of(field: FieldInfo) -> type[Document] | None:
    kinds: tuple[Any, ...] = (field.annotation, *get_args(field.annotation))
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Document)), None)


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return (
        f"`{field.default!r}`".replace("'", '"')
        .replace("`()`", "`[]`")
        .replace("True", "true")
        .replace("False", "false")
    )


def _meaning_of(field: FieldInfo) -> str:
    choices = [str(each) for each in get_args(field.annotation) if isinstance(each, str)]
    listed = ", ".join(f"`{choice}`" for choice in choices)
    return "; ".join(part for part in (field.description or "", listed) if part)


TABLES = {
    "serve.md": ("settings", settings_rows),
    "train.md": ("recipe", recipe_rows),
}


def filled(page: Path) -> str:
    """The text of `page` with its table as it should be."""
    name, rows = TABLES[page.name]
    between = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return between.sub(lambda found: f"{found[1]}{rows()}\n{found[2]}", page.read_text())


if __name__ == "__main__":
    for file_name in TABLES:
        (DOCS / file_name).write_text(filled(DOCS / file_name))
