"""Bodies that may be JSON, a form, or the query, as LibreTranslate's clients send them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from app.errors import InvalidField
from app.routing import is_json, refusal_of

#: Fields of a form, and files among them.
MAX_FIELDS, MAX_FILES = 1_000, 1

_HALF_CHARACTER = re.compile("[\ud800-\udfff]")

Fields = dict[str, Any]
B = TypeVar("B", bound=BaseModel)


class _InMemory(MultiPartParser):
    """A parser that writes nothing to disk: the server's may be read-only, and its limit on bodies
    bounds the memory."""

    spool_max_size = 2**40


@dataclass(frozen=True)
class File:
    """A file of a form.

    Attributes:
        name: as the client calls it.
        data: its bytes.
    """

    name: str
    data: bytes


async def read_fields(request: Request) -> Fields:
    """Reads the fields of a request: those of the query, and those of its body over them. A field
    that comes several times is a list.

    Raises:
        InvalidField: if the body is not what its Content-Type says.
    """
    fields = _merged(request.query_params.multi_items())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_json(kind):
        return fields | await _json_fields(request)
    if kind == "multipart/form-data":
        parser = _InMemory(
            request.headers, request.stream(), max_files=MAX_FILES, max_fields=MAX_FIELDS
        )
        try:
            form = await parser.parse()
        except (MultiPartException, KeyError, UnicodeDecodeError) as error:
            reason = getattr(error, "message", "no boundary, or not UTF-8")
            raise InvalidField("body", f"is not multipart/form-data ({reason})") from None
    else:
        if (await request.body()).lstrip().startswith(b"{"):  # as `curl -d` without a header
            raise InvalidField("body", "is JSON; send it with 'Content-Type: application/json'")
        form = await FormParser(request.headers, request.stream()).parse()
    try:
        items = [(name, await _value(value)) for name, value in form.multi_items()]
    finally:
        await form.close()
    return fields | _merged(items)


async def _value(value: str | UploadFile) -> str | File:
    return value if isinstance(value, str) else File(value.filename or "", await value.read())


async def _json_fields(request: Request) -> Fields:
    body = await request.body()
    try:
        fields = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InvalidField("body", "is not JSON in UTF-8") from None
    if not isinstance(fields, dict):
        raise InvalidField("body", "must be a JSON object")
    return fields


def _merged(items: list[tuple[str, Any]]) -> Fields:
    fields: Fields = {}
    for name, value in items:
        if name in fields:
            before = fields[name]
            fields[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            fields[name] = value
    return fields


def validated(model: type[B], fields: Fields) -> B:
    """Returns `fields` as a model.

    Raises:
        InvalidField: if a text has half a character, which no answer could hold.
        RequestValidationError: if they do not fit it.
    """
    for name, value in fields.items():
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and _HALF_CHARACTER.search(text) for text in texts):
            raise InvalidField(name, "has half a character (a lone surrogate)")
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise refusal_of(error) from None


def file_of(fields: Fields) -> File:
    """Returns the field `file`.

    Raises:
        InvalidField: if it is no file.
    """
    file = fields.get("file")
    if not isinstance(file, File):
        raise InvalidField("file", "must be a file, in multipart/form-data")
    return file
