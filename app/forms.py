"""Requests whose fields may be sent as JSON, as a form or in the query, as by LibreTranslate
clients."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.errors import InvalidField
from app.routing import is_json, refusal_of

#: Maximum number of fields and files of a form.
MAX_FIELDS, MAX_FILES = 1_000, 1

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Fields = dict[str, Any]
B = TypeVar("B", bound=BaseModel)


class _InMemory(MultiPartParser):
    """A parser that never writes to disk, which may be read-only. The limit on bodies bounds the
    memory."""

    spool_max_size = 2**40


@dataclass(frozen=True)
class File:
    """An uploaded file.

    Attributes:
        name: file name given by the client.
        data: contents.
    """

    name: str
    data: bytes


async def read_fields(request: Request) -> Fields:
    """Reads the fields of the query and the body; those of the body take precedence. A repeated
    field becomes a list. Empty fields are unset, as on LibreTranslate, except an empty text `q`.

    Raises:
        InvalidField: if the body does not match its Content-Type.
    """
    fields = _merge(request.query_params.multi_items()) | await _body_fields(request)
    return {name: value for name, value in fields.items() if value != "" or name == "q"}


async def _body_fields(request: Request) -> Fields:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if is_json(kind):
        return await _json_fields(request)
    if kind == "multipart/form-data":
        return await _multipart_fields(request)
    return _urlencoded_fields(await request.body())


async def _multipart_fields(request: Request) -> Fields:
    parser = _InMemory(
        request.headers, request.stream(), max_files=MAX_FILES, max_fields=MAX_FIELDS
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeError) as error:
        reason = getattr(error, "message", "no boundary, or not UTF-8")
        raise InvalidField("body", f"is not multipart/form-data ({reason})") from None
    try:
        return _merge([(name, await _value(value)) for name, value in form.multi_items()])
    finally:
        await form.close()


def _urlencoded_fields(body: bytes) -> Fields:
    """Returns the fields of a form. `curl -d` sends characters beyond ASCII without encoding them,
    for which Starlette's parser assumes Latin-1."""
    if body.lstrip().startswith(b"{"):  # as `curl -d` without a header
        raise InvalidField("body", "is JSON; send it with 'Content-Type: application/json'")
    try:
        items = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except UnicodeDecodeError:
        raise InvalidField("body", "is not a form in UTF-8") from None
    except ValueError:
        raise InvalidField("body", f"must have at most {MAX_FIELDS} fields") from None
    return _merge(items)


async def _value(value: str | UploadFile) -> str | File:
    return value if isinstance(value, str) else File(value.filename or "", await value.read())


async def _json_fields(request: Request) -> Fields:
    """Returns the fields of a JSON object. Those that are null are unset, as on LibreTranslate."""
    body = await request.body()
    try:
        fields = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InvalidField("body", "is not JSON in UTF-8") from None
    if not isinstance(fields, dict):
        raise InvalidField("body", "must be a JSON object")
    return {name: value for name, value in fields.items() if value is not None}


def _merge(items: list[tuple[str, Any]]) -> Fields:
    fields: Fields = {}
    for name, value in items:
        if name in fields:
            before = fields[name]
            fields[name] = [*before, value] if isinstance(before, list) else [before, value]
        else:
            fields[name] = value
    return fields


def validate(model: type[B], fields: Fields) -> B:
    """Validates `fields` as a model.

    Raises:
        InvalidField: if a text contains a lone surrogate, which no response can encode.
        RequestValidationError: if they do not fit the model.
    """
    for name, value in fields.items():
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and _LONE_SURROGATE.search(text) for text in texts):
            raise InvalidField(name, "contains a lone surrogate (half a character)")
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise refusal_of(error) from None


def file_of(fields: Fields) -> File:
    """Returns the field `file`.

    Raises:
        InvalidField: if it is not a file.
    """
    file = fields.get("file")
    if not isinstance(file, File):
        raise InvalidField("file", "must be a file, in multipart/form-data")
    return file
