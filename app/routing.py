"""Routes with a fast path from the bytes of a body to a pydantic model and back.

FastAPI's own path through dependencies, body and encoders takes as long as the routes themselves.
In all other respects these are ordinary routes for middleware, error handlers and the OpenAPI
description.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

B = TypeVar("B", bound=BaseModel)


class JsonRoute(APIRoute):
    """A route whose endpoint is `async def endpoint(request, body)`, where `body` is a pydantic
    model, or `async def endpoint(request)`, and returns a `Response` or another model."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        body_model = get_type_hints(endpoint).get("body")

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            bodies = [await read_body(request, body_model)] if body_model else []
            answer = await endpoint(request, *bodies)
            response = answer if isinstance(answer, Response) else json_response(answer)
            await response(scope, receive, send)

        self.app = answer


async def read_body(request: Request, model: type[B]) -> B:
    """Reads and validates the body of `request`.

    Raises:
        ClientDisconnect: if the client disconnected before the end of the body.
        RequestValidationError: if it is not JSON or does not fit `model`.
        HTTPException: 400, if it cannot be decoded as text.
    """
    body, is_whole = bytearray(), False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
    if not is_json(request.headers.get("content-type", "")):
        raise RequestValidationError([_fault("model_type", ("body",), "no JSON")])
    if 0 in body:  # UTF-16, or UTF-32
        raise HTTPException(400, "is UTF-16 or UTF-32. Send it in UTF-8")
    try:
        # Given bytes, `json` would guess the encoding and accept surrogates.
        return model.model_validate(json.loads(body.decode("utf-8-sig")))
    except ValidationError as error:
        raise refusal_of(error) from None
    except json.JSONDecodeError as error:
        fault = _fault("json_invalid", ("body", error.pos), error.msg)
        raise RequestValidationError([{**fault, "ctx": {"error": error.msg}}]) from None
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8: see byte {error.start}. Send it in UTF-8"
        raise HTTPException(400, reason) from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "is nested too deeply, or has too long a number") from None


def refusal_of(error: ValidationError) -> RequestValidationError:
    """Returns the error of a body that does not fit a model."""
    faults = error.errors(include_url=False)
    return RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in faults])


def json_response(answer: BaseModel) -> Response:
    """Returns `answer` as JSON, without its empty fields."""
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


def is_json(content_type: str) -> bool:
    """Tells whether a Content-Type is JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("application/") and kind.endswith(("/json", "+json"))


def _fault(kind: str, location: tuple[str | int, ...], message: str) -> dict[str, Any]:
    return {"type": kind, "loc": location, "msg": message, "input": None}
