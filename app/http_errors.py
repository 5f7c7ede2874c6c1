"""Responses to errors.

One table turns an error into a `Fault`; each protocol renders the `Fault` in its own format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.errors import (
    DeadlineExceeded,
    InvalidField,
    InvalidKey,
    Overloaded,
    RateLimited,
    Unavailable,
    UnknownModel,
)
from app.schemas.error import ErrorAnswer, ErrorDetail
from app.schemas.openai import OpenAIError, OpenAIErrorDetail
from app.schemas.translate import TextError
from model.errors import EngineError, InputError

#: Bounds of `Retry-After` where it is an estimate.
MIN_RETRY_AFTER_SECONDS, MAX_RETRY_AFTER_SECONDS = 1, 60
_MAX_MESSAGE_CHARACTERS = 500
_MAX_FIELD_CHARACTERS = 100
_UNION_TAGS = ("<text>", "<other>")


class BodyTooLarge(HTTPException):
    """A body of more than `max_body_bytes`. (FastAPI lets only an `HTTPException` through when it
    reads a body.)"""

    def __init__(self, max_body_bytes: int) -> None:
        super().__init__(413, f"body: must be at most {max_body_bytes} bytes")


#: Error class -> status and code; the nearest base class applies. Other errors are a plain 500.
STATUS: dict[type[Exception], tuple[int, str]] = {
    InputError: (422, "invalid_input"),
    UnknownModel: (404, "model_not_found"),
    RequestValidationError: (422, "invalid_input"),
    BodyTooLarge: (413, "body_too_large"),
    InvalidKey: (401, "invalid_api_key"),
    Overloaded: (503, "overloaded"),
    RateLimited: (429, "rate_limit_exceeded"),
    Unavailable: (503, "unavailable"),
    DeadlineExceeded: (504, "deadline_exceeded"),
    EngineError: (500, "engine_failed"),
}

#: Messages of errors that the framework raises when no route fits a request.
_ROUTING_MESSAGES = {
    404: "there is no such path on this server; see /docs",
    405: "the path does not accept this method; see /docs",
}

#: Error types of OpenAI's API, by status, for exceptions to the rule.
_OPENAI_TYPES = {401: "authentication_error", 429: "rate_limit_error"}

#: Paths whose errors have LibreTranslate's format.
LIBRETRANSLATE_PATHS = frozenset(
    {"/translate", "/detect", "/languages", "/translate_file", "/frontend/settings"}
)


@dataclass(frozen=True)
class Fault:
    """An error as shown to a caller.

    Attributes:
        status: HTTP status.
        code: a word for programs.
        message: a sentence for people, which names the field.
        field: path of the invalid field, if any.
        headers: additional headers of the response.
    """

    status: int
    code: str
    message: str
    field: str | None = None
    headers: Mapping[str, str] | None = None


def to_fault(error: Exception) -> Fault:
    """Describes any error, without its traceback. The message is safe to encode and to print."""
    found = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)
    if isinstance(error, RequestValidationError):
        return _from_validation(error.errors())
    if isinstance(error, HTTPException):
        status, code = found or (error.status_code, _code_of(error.status_code))
        detail = _ROUTING_MESSAGES.get(status) or _printable(str(error.detail))
        if status == 400:  # JSON fails for any reason but syntax
            return Fault(status, code, f"body: {detail}", "body")
        field = "body" if status == 413 else None
        return Fault(status, code, detail, field, error.headers)
    if found is None:
        return Fault(500, "internal_error", "the server failed; its log says why")
    headers = {"Retry-After": str(_retry_after(error))} if found[0] in (429, 503) else None
    if found[0] == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    field = error.field if isinstance(error, InvalidField | UnknownModel) else None
    return Fault(*found, _printable(str(error)), field, headers)


def _retry_after(error: Exception) -> int:
    """Returns the seconds after which a retry is worthwhile."""
    if isinstance(error, RateLimited):
        return error.retry_after_seconds
    seconds = error.retry_after_seconds if isinstance(error, Overloaded) else 0.0
    return min(max(math.ceil(seconds), MIN_RETRY_AFTER_SECONDS), MAX_RETRY_AFTER_SECONDS)


def to_error_answer(fault: Fault) -> ErrorAnswer:
    """Returns `fault` in this project's own format."""
    return ErrorAnswer(error=ErrorDetail(code=fault.code, message=fault.message, field=fault.field))


def openai_error(fault: Fault) -> OpenAIError:
    """Returns `fault` in the format of OpenAI's API."""
    kind = _OPENAI_TYPES.get(fault.status)
    return OpenAIError(
        error=OpenAIErrorDetail(
            message=fault.message,
            type=kind or ("server_error" if fault.status >= 500 else "invalid_request_error"),
            param=fault.field,
            code=fault.code,
        )
    )


def to_response(fault: Fault, path: str = "") -> JSONResponse:
    """Builds the response in the format of the protocol that the path of a request belongs to."""
    content: ErrorAnswer | OpenAIError | TextError
    status = 400 if fault.status == 422 else fault.status  # the others' protocols know no 422
    if path.startswith("/v1/"):
        content = openai_error(fault)
    elif path in LIBRETRANSLATE_PATHS:
        content = TextError(error=fault.message)
    else:
        content, status = to_error_answer(fault), fault.status
    return JSONResponse(content.model_dump(), status, fault.headers)


def _from_validation(faults: Sequence[Any]) -> Fault:
    fields = [_path(fault["loc"]) for fault in faults]
    reasons = [_reason(fault) for fault in faults]
    message = "; ".join(f"{field}: {reason}" for field, reason in zip(fields, reasons, strict=True))
    status, code = STATUS[RequestValidationError]
    return Fault(status, code, _printable(message), fields[0])


def _path(location: Sequence[str | int]) -> str:
    """Joins a location: `("body", "messages", 0, "<other>", "role")` -> `messages.0.role`. A number
    right after `body` is a position in broken JSON."""
    parts = [str(part) for part in location[1:] if part not in _UNION_TAGS]
    is_field = len(location) > 1 and isinstance(location[1], str)
    return _printable(".".join(parts), _MAX_FIELD_CHARACTERS) if is_field else str(location[0])


def _reason(fault: Any) -> str:
    kind, received = fault["type"], fault["input"]
    if kind == "json_invalid":
        return f"is not JSON: {fault['ctx']['error']} (character {fault['loc'][-1]})"
    if kind == "model_type":
        is_body = len(fault["loc"]) == 1
        return "must be a JSON object" + ", sent with 'Content-Type: application/json'" * is_body
    if kind == "list_type" and fault["loc"][-1] == "<other>":
        return "must be a text or a list"
    if kind == "extra_forbidden":
        return "unknown field"
    is_number = isinstance(received, int | float) and not isinstance(received, bool)
    return f"{fault['msg']}. Received: {received}" if is_number else str(fault["msg"])


def _printable(text: str, longest: int = _MAX_MESSAGE_CHARACTERS) -> str:
    """Returns `text` without control characters and lone surrogates, cut if it is long."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:longest])
    return shown if len(text) <= longest else shown + "..."


def _code_of(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_")
