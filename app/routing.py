"""What routes share: bodies, the state of the application, rate limits, clients that disconnect.

A `JsonRoute` has a fast path from the bytes of a body to a pydantic model and back: FastAPI's own
path through dependencies, body and encoders takes as long as the routes themselves. In all other
respects it is an ordinary route for middleware, error handlers and the OpenAPI description.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar, cast, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.decoding.admission import MAX_PLAIN_COST, cost_of
from app.decoding.registry import ModelRegistry
from app.errors import RateLimited
from app.rate_limit import RateLimiter
from app.security import client_of
from app.settings import Settings
from model.search.requests import SearchRequest

B = TypeVar("B", bound=BaseModel)
T = TypeVar("T")


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


def models_of(request: Request) -> ModelRegistry:
    """Returns the models by name."""
    models: ModelRegistry = request.app.state.models
    return models


def settings_of(request: Request) -> Settings:
    """Returns the server's settings."""
    settings: Settings = request.app.state.settings
    return settings


async def charge(request: Request, searches: Iterable[SearchRequest], times: int = 1) -> None:
    """Charges the client for `searches`, `times` over.

    Raises:
        RateLimited: if that exceeds its rate limit.
    """
    if request.app.state.rate_limiter is not None:
        units = sum(max(1.0, cost_of(search) / MAX_PLAIN_COST) for search in searches)
        await charge_units(request, units * times)


async def charge_units(request: Request, units: float) -> None:
    """Charges the client for this many plain requests.

    Raises:
        RateLimited: if that exceeds its rate limit.
    """
    limiter: RateLimiter | None = request.app.state.rate_limiter
    if limiter is not None and (wait := await limiter.take(client_of(request.scope), units)):
        raise RateLimited(wait)


async def cancel_on_disconnect(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of `work`, which is cancelled at once if the client disconnects first.

    Args:
        receive: `receive` of the request, whose body has been read.
        work: computes the answer.

    Raises:
        ClientDisconnect: if the client disconnected.
    """
    caller = cast("asyncio.Task[Any]", asyncio.current_task())
    has_disconnected = False

    async def watch() -> None:
        nonlocal has_disconnected
        while (await receive())["type"] != "http.disconnect":
            pass
        has_disconnected = caller.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if has_disconnected and not caller.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        watcher.cancel()
