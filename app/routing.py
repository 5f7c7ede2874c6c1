"""From the bytes of a body to a model of pydantic, and back, by the shortest way.

FastAPI describes the routes; its own way to them, and through dependencies and encoders, takes more
of the processor than all of what the routes do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar, get_type_hints

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import EXPECTED, to_fault, to_response

B = TypeVar("B", bound=BaseModel)


class JsonRoute(APIRoute):
    """A route whose endpoint has the form `async def endpoint(request, body)`, where `body` is a
    model of pydantic, and answers a `Response` or another such model."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint, body_model = self.endpoint, get_type_hints(self.endpoint)["body"]

        async def handle(request: Request) -> Response:
            answer = await endpoint(request, await read_body(request, body_model))
            return answer if isinstance(answer, Response) else json_response(answer)

        return handle


class Shortcut:
    """Leads requests straight to the `JsonRoute`s of some routers, and all others on to `app`.

    Args:
        app: has the routers too.
        routers: of whose routes there are shortcuts.
        guard: middleware for those.
    """

    def __init__(
        self, app: FastAPI, routers: Sequence[APIRouter], guard: Callable[[ASGIApp], ASGIApp]
    ) -> None:
        self.app = app
        self._ways = {
            (method, route.path): guard(_answering(route.get_route_handler()))
            for router in routers
            for route in router.routes
            if isinstance(route, JsonRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        way = self._ways.get((scope.get("method", ""), scope.get("path", "")), self.app)
        scope["app"] = self.app
        await way(scope, receive, send)


def _answering(handle: Callable[[Request], Coroutine[Any, Any, Response]]) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):  # nobody is there to be answered
            try:
                response = await handle(Request(scope, receive, send))
                await response(scope, receive, send)
            except EXPECTED as error:
                await to_response(to_fault(error))(scope, receive, send)

    return answer


async def read_body(request: Request, model: type[B]) -> B:
    """The body of `request`, validated.

    Raises:
        ClientDisconnect: if the client hung up before its end.
        RequestValidationError: if it is not JSON, or does not fit `model`.
        HTTPException: 400, if it cannot be read as text.
    """
    body, is_whole = bytearray(), False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
    if not _is_json(request.headers.get("content-type", "")):
        raise RequestValidationError([_fault("model_attributes_type", ("body",), "no JSON")])
    try:
        return model.model_validate(json.loads(body))
    except ValidationError as error:
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        ) from None
    except json.JSONDecodeError as error:
        fault = _fault("json_invalid", ("body", error.pos), error.msg)
        raise RequestValidationError([{**fault, "ctx": {"error": error.msg}}]) from None
    except (ValueError, RecursionError):  # no UTF-8, a number of too many digits, nested too deeply
        raise HTTPException(400) from None


def json_response(answer: BaseModel) -> Response:
    """`answer` without what it leaves empty."""
    return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("application/") and kind.endswith(("/json", "+json"))


def _fault(kind: str, location: tuple[str | int, ...], message: str) -> dict[str, Any]:
    return {"type": kind, "loc": location, "msg": message, "input": None}
