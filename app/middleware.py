"""What every request passes before it reaches a route. Pure ASGI: bodies are never collected."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTooLarge, to_fault, to_response


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
        elif self._declared_bytes(scope) > self._max_body_bytes:
            await to_response(to_fault(BodyTooLarge(self._max_body_bytes)))(scope, receive, send)
        else:
            await self._app(scope, self._counted(receive), send)

    def _declared_bytes(self, scope: Scope) -> int:
        declared = Headers(scope=scope).get("content-length", "")
        return int(declared) if declared.isdecimal() else 0

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
