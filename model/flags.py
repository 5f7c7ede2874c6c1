"""Command-line flags generated from the fields of documents, with their bounds and errors."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, NoReturn, cast, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from model.config import Document


class OneLineParser(argparse.ArgumentParser):
    """A parser with one-line errors."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (`{self.prog} --help` lists all options)\n")


def count(text: str) -> int:
    """Parses a number of things, at least one.

    Raises:
        ArgumentTypeError: if `text` is anything else.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more. Received: {text}")
    return int(text)


def add_flags(parser: argparse.ArgumentParser, *documents: type[Document]) -> None:
    """Adds a flag for each field of `documents`. A field with several values gets a flag that may
    be repeated; a boolean field gets `--name` and `--no-name`."""
    group = parser.add_argument_group("search", "Options default to those of the model.")
    for document in documents:
        for name, field in document.model_fields.items():
            group.add_argument(
                _flag_of(name, field),
                dest=name,
                default=argparse.SUPPRESS,
                help=_help_of(field).replace("%", "%%"),
                **_way_of(field),
            )


def given(arguments: argparse.Namespace, document: type[Document]) -> dict[str, Any]:
    """Returns the values of the given flags that are fields of `document`."""
    return {name: value for name, value in vars(arguments).items() if name in document.model_fields}


def flag_rows(*documents: type[Document]) -> Iterator[tuple[str, str]]:
    """Yields the flag and the description of each field of `documents`, for the docs."""
    for document in documents:
        for name, field in document.model_fields.items():
            flag = _flag_of(name, field)
            value = f" {_way_of(field).get('metavar', '')}".rstrip()
            shown = f"{flag}, --no-{flag[2:]}" if field.annotation is bool else f"{flag}{value}"
            yield shown, _help_of(field)


def _flag_of(name: str, field: FieldInfo) -> str:
    name = name.removesuffix("s") if _is_many(field) else name
    return "--" + name.replace("_", "-")


def _help_of(field: FieldInfo) -> str:
    return f"{field.description}; may be repeated" if _is_many(field) else str(field.description)


def _is_many(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def _way_of(field: FieldInfo) -> dict[str, Any]:
    """Returns the options of `argparse` for the field."""
    if field.annotation is bool:
        return {"action": argparse.BooleanOptionalAction}
    if _is_many(field):
        return {"action": "append", "metavar": "TEXT"}
    return {"type": _reader_of(field), "metavar": _metavar_of(field.annotation)}


def _metavar_of(annotation: Any) -> str:
    kinds = (annotation, *get_args(annotation))
    for kind in kinds:
        if get_origin(kind) is Literal:
            return "|".join(get_args(kind))
    return "N" if int in kinds else "X" if float in kinds else "TEXT"


def _reader_of(field: FieldInfo) -> Callable[[str], Any]:
    adapter = TypeAdapter[Any](cast(Any, Annotated[field.annotation, field]))  # with its bounds

    def read(text: str) -> Any:
        try:
            return adapter.validate_python(text)
        except ValidationError as error:
            message = "; ".join(fault["msg"] for fault in error.errors())
            raise argparse.ArgumentTypeError(f"{message}. Received: {text!r}") from None

    return read
