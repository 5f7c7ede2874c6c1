"""Fills the generated parts of the docs and of Compose: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from app.schemas.reply import ReplyRequest
from app.settings import ENV_PREFIX, settings_table
from model.config import Document, SearchOptions
from model.flags import flag_rows
from model.search.options import RequestOptions
from training.cleaning.rules import DEFAULT_RULES, RULES
from training.formats import FORMATS, FormatInfo
from training.recipe import Recipe

ROOT = Path(__file__).parent.parent

#: Documents whose fields are flags of `python -m model`.
FLAGS = (RequestOptions, SearchOptions)


def settings_rows() -> str:
    """Returns the environment variables of the server."""
    rows = (
        f"| `{name}` | {f'`{default}`' if default else 'unset'} | {text} |"
        for name, default, text in settings_table()
    )
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows])


def compose_rows() -> str:
    """Returns the environment variables that mean the same inside a container as outside, and that
    the image does not set."""
    others = {f"{ENV_PREFIX}{name}" for name in ("HOST", "PORT", "API_KEYS", "MODELS")}
    return "\n".join(f"  {name}:" for name, _, _ in settings_table() if name not in others)


def recipe_rows() -> str:
    """Returns the keys of a recipe."""
    rows = (f"| `{key}` | {default} | {text} |" for key, default, text in _keys(Recipe, ""))
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows])


def format_rows() -> str:
    """Returns the corpus formats."""
    rows = (
        f"| `{name}` | {', '.join(info.tasks)} | {_files_of(info)} "
        f"| {info.meaning}{_keys_of(info)} | {_example(info.example)} |"
        for name, info in FORMATS.items()
    )
    head = ["| format | task | files | contents | example |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def _files_of(info: FormatInfo) -> str:
    return " ".join(f"`{suffix}`" for suffix in info.suffixes) or "any"


def _keys_of(info: FormatInfo) -> str:
    named = {"required": info.needs, "optional": info.takes}
    keys = [f"{kind}: {', '.join(f'`{key}`' for key in of)}" for kind, of in named.items() if of]
    return f" ({'; '.join(keys)})" if keys else ""


def _example(text: str) -> str:
    """Returns a small file as one table cell."""
    lines = text.replace("|", "\\|").replace("\t", " ⇥ ").split("\n")
    return "<br>".join(f"`{line}`" if line else "" for line in lines)


def request_rows() -> str:
    """Returns the fields of a `POST /reply` body."""
    properties = ReplyRequest.model_json_schema()["properties"]
    rows = (
        f"| `{name}` | {_type_of(schema)} | {schema.get('description', '')} |"
        for name, schema in properties.items()
    )
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def _type_of(schema: dict[str, Any]) -> str:
    """Returns the type of a JSON schema in a few words."""
    kinds = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    (kind,) = kinds
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    if kind["type"] == "array":
        items = kind["items"]
        if items.get("type") == "string":
            return "list of strings"
        has_lists = any(each.get("type") == "array" for each in items["oneOf"])
        return f"list of strings or {'lists of turns' if has_lists else 'turns'}"
    least, most = kind.get("minimum", kind.get("exclusiveMinimum")), kind.get("maximum")
    above = "above " if "exclusiveMinimum" in kind else ""
    bounds = [f"{above}{least:.9g}" if least is not None else "", f"{most:.9g}" if most else ""]
    if all(bounds):
        return f"{kind['type']}, {' to '.join(bounds)}"
    return f"{kind['type']}, from {bounds[0]}" if bounds[0] else str(kind["type"])


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
    if field.default is None:
        return "unset"
    return (
        f"`{field.default!r}`".replace("'", '"')
        .replace("`()`", "`[]`")
        .replace("True", "true")
        .replace("False", "false")
    )


def _meaning_of(field: FieldInfo) -> str:
    choices = [str(each) for each in get_args(field.annotation) if isinstance(each, str)]
    listed = ", ".join(f"`{choice}`" for choice in choices)
    if not (field.description and listed):
        return field.description or listed
    return f"{field.description} ({listed})"


def rule_rows() -> str:
    """Returns the cleaning rules."""
    rows = []
    for name, rule in RULES.items():
        tasks = [task for task, names in DEFAULT_RULES.items() if name in names]
        settings = (
            f"`{key}` = {_default_of(field)[1:-1]}: {field.description}"
            for key, field in rule.model_fields.items()
            if key != "rule"
        )
        meaning = " ".join((rule.__doc__ or "").split())
        default = ", ".join(tasks) or "never"
        rows.append(f"| `{name}` | {default} | {meaning} | {'<br>'.join(settings)} |")
    head = ["| rule | by default | drops | settings |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def search_flag_rows() -> str:
    """Returns the flags of `python -m model`."""
    cells = ((flag.replace("|", "\\|"), text) for flag, text in flag_rows(*FLAGS))
    rows = (f"| `{flag}` | {text} |" for flag, text in cells)
    return "\n".join(["| flag | meaning |", "|---|---|", *rows])


TABLES = {
    "docker-compose.yml": {"settings": compose_rows},
    "docs/api.md": {"request": request_rows},
    "docs/serve.md": {"settings": settings_rows, "flags": search_flag_rows},
    "docs/corpora.md": {"formats": format_rows, "rules": rule_rows},
    "docs/recipes.md": {"recipe": recipe_rows},
}


def filled(page: str) -> str:
    """Returns the text of `page`, a key of `TABLES`, with its tables generated anew."""
    text = (ROOT / page).read_text()
    for name, rows in TABLES[page].items():
        comment = r" *(?:<!--|#) "
        match = re.search(rf"(?m)^{comment}{name}: .*\n((?:.*\n)*?){comment}/{name}\b", text)
        if match is None:
            raise ValueError(f"{page} has no place for the table '{name}'.")
        text = f"{text[: match.start(1)]}{rows()}\n{text[match.end(1) :]}"
    return text


if __name__ == "__main__":
    for file_name in TABLES:
        (ROOT / file_name).write_text(filled(file_name))
