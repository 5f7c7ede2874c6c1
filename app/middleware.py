"""What every request passes before it reaches a route. Pure ASGI: bodies are never collected."""

from __future__ import annotations

import logging
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTooLarge, to_fault, to_response

logger = logging.getLogger(__name__)


class ErrorBoundary:
    """Answers 500 to errors that nobody expected. The text of such an error may quote a caller, so
    the log gets its class and the lines that it passed."""

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
        except Exception as error:
            if scope["type"] != "http":
                raise
            trace = "".join(traceback.format_tb(error.__traceback__))
            logger.error("unexpected %s, raised at\n%s", type(error).__name__, trace)
            if not has_started:
                await to_response(to_fault(error))(scope, receive, send)


class BodyLimit:
    """Answers 413 to bodies of more than `max_body_bytes`, whether or not they tell their size.

    FastAPI has such a limit, but answers in plain text, not in the shape of our other errors.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = _declared_bytes(scope)
        if declared is None:
            await self._app(scope, self._counted(receive), send)
        elif declared <= self._max_body_bytes:  # a server passes on no more than was declared
            await self._app(scope, receive, send)
        else:
            await to_response(to_fault(BodyTooLarge(self._max_body_bytes)))(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        received_bytes = 0

        async def counted_receive() -> Message:
            nonlocal received_bytes
            message = await receive()
            received_bytes += len(message.get("body", b""))
            if received_bytes > self._max_body_bytes:
                raise BodyTooLarge(self._max_body_bytes)
            return message

        return counted_receive


def _declared_bytes(scope: Scope) -> int | None:
    """What a body's head promises; None: nothing that can be relied on."""
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length", b"")
    return int(declared) if declared.isdigit() and b"transfer-encoding" not in headers else None
