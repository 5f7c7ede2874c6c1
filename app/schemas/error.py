"""The body of every error."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

#: What each status means, on every route that works.
_DESCRIPTIONS = {
    400: "The body cannot be read as text.",
    401: "The request has no valid API key.",
    413: "The body is too large.",
    429: "The client has reached its rate limit; `Retry-After` says when to try again.",
    500: "The model or the server failed.",
    503: "Too many requests are waiting; `Retry-After` says when to try again.",
    504: "The request timed out.",
}


class ErrorDetail(BaseModel):
    """The error's code and message."""

    code: str = Field(description="a word for programs", examples=["invalid_input"])
    message: str = Field(description="a sentence for people; names the field")
    field: str | None = Field(description="path of the field at fault, as in messages.2")


class ErrorAnswer(BaseModel):
    """An error."""

    error: ErrorDetail


def error_responses(
    model: type[BaseModel], others: dict[int, str] | None = None
) -> dict[int | str, dict[str, Any]]:
    """Describes the errors of a route that works, for its OpenAPI description.

    Args:
        model: the body of an error in the route's protocol.
        others: descriptions of further statuses, or in place of the usual ones.
    """
    descriptions = {**_DESCRIPTIONS, **(others or {})}
    described: dict[int | str, str] = dict(sorted(descriptions.items()))
    described["default"] = "Any other error."  # in place of FastAPI's 422
    return {status: {"model": model, "description": text} for status, text in described.items()}
