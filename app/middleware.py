"""Middleware and error handlers around all routes. Pure ASGI: bodies are never collected."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from dataclasses import replace

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Overloaded
from app.http_errors import STATUS, BodyTooLarge, Fault, to_fault, to_response

logger = logging.getLogger(__name__)

#: Maximum size of a request head in bytes, and its maximum number of fields.
MAX_HEAD_BYTES = 65_536
MAX_HEADERS = 100

#: Paths that accept a file.
FILE_PATHS = frozenset({"/translate_file"})
#: Number of the largest files whose bodies may be held at the same time, or of more smaller ones.
MAX_LARGEST_FILES = 8

#: The status that proxies use for a request whose client has disconnected.
CLIENT_CLOSED_REQUEST = 499

_CLOSE = {"Connection": "close"}


def route_path(scope: Scope) -> str:
    """Returns the path of a request below `root_path`."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def install_error_handlers(app: FastAPI) -> None:
    """Installs handlers for every expected error; `ErrorBoundary` handles the others."""
    for kind in (*STATUS, HTTPException):
        app.add_exception_handler(kind, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    return to_response(to_fault(error), route_path(request.scope))


class ErrorBoundary:
    """Answers 500 to unexpected errors. The message of such an error may quote the request, so only
    its class and the lines of its traceback are logged. A disconnected client is not an error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_started = False

        async def watched_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except ClientDisconnect:  # no client reads it, but outer middleware counts it
            if not has_started:
                await Response(status_code=CLIENT_CLOSED_REQUEST)(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            trace = "".join(traceback.format_tb(error.__traceback__))
            logger.error("unexpected %s, raised at\n%s", type(error).__name__, trace)
            if not has_started:
                await to_response(to_fault(error), route_path(scope))(scope, receive, send)


class HeadAsGet:
    """Answers HEAD as GET; uvicorn leaves out the body. FastAPI's routes answer GET only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            scope["method"] = "HEAD"
            await send(message)

        scope["method"] = "GET"
        try:
            await self._app(scope, receive, send_head)
        finally:
            scope["method"] = "HEAD"


class RequestLimits:
    """Rejects requests whose head or body is too large, whose length is ambiguous, or whose body is
    compressed, and closes their connection. Rejects files while the bodies of others take too much
    memory.

    FastAPI has a limit for bodies, but answers in plain text, not in the format of our other
    errors.

    Args:
        app: receives all other requests.
        max_body_bytes: maximum size of a body, with or without a Content-Length.
        max_file_bytes: the same for paths that accept a file.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int, max_file_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._max_file_bytes = max_file_bytes
        self._held_bytes = 0  # of bodies on paths that accept a file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fields, path = dict(scope["headers"]), route_path(scope)
        has_file = path in FILE_PATHS
        most = self._max_file_bytes if has_file else self._max_body_bytes
        if fault := self._fault(scope, fields, most):
            refusal = to_response(replace(fault, headers=_CLOSE), path)
            await refusal(scope, receive, send)
        elif has_file:
            await self._pass_file(scope, self._counted(receive, most), send)
        elif b"content-length" in fields:  # the server passes on no more than was declared
            await self._app(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive, most), send)

    def _fault(self, scope: Scope, fields: Mapping[bytes, bytes], most: int) -> Fault | None:
        head_bytes = len(scope.get("raw_path") or b"")
        head_bytes += sum(len(name) + len(value) for name, value in scope["headers"])
        if head_bytes > MAX_HEAD_BYTES or len(scope["headers"]) > MAX_HEADERS:
            return head_too_large()
        declared = fields.get(b"content-length")
        if declared is not None and b"transfer-encoding" in fields:
            reason = "has both Content-Length and Transfer-Encoding"
            return Fault(400, "bad_request", f"the request {reason}")
        if declared is not None and declared.isdigit() and int(declared) > most:
            return to_fault(BodyTooLarge(most))
        if fields.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            return Fault(415, "unsupported_media_type", "body: must not be compressed", "body")
        return None

    def _counted(self, receive: Receive, most: int) -> Receive:
        received_bytes = 0

        async def counted_receive() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > most:
                raise BodyTooLarge(most)
            return message

        return counted_receive

    async def _pass_file(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on. Its body counts as held until the response is sent."""
        own_bytes = 0

        async def held_receive() -> Message:
            nonlocal own_bytes
            message = await receive()
            size = len(message.get("body", b""))
            if self._held_bytes + size > MAX_LARGEST_FILES * self._max_file_bytes:
                raise Overloaded("too many files are being translated; try again later")
            own_bytes += size
            self._held_bytes += size
            return message

        try:
            await self._app(scope, held_receive, send)
        finally:
            self._held_bytes -= own_bytes


def head_too_large() -> Fault:
    """Returns the fault for a head that exceeds the limits."""
    limits = f"at most {MAX_HEAD_BYTES} bytes and {MAX_HEADERS} fields"
    return Fault(431, "request_header_fields_too_large", f"the request head must have {limits}")
