"""Server-sent events: an answer that is sent while it is generated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.http_errors import Fault, to_fault
from app.routing import cancel_on_disconnect
from model.errors import Seq2SeqError

EVENT_STREAM = "text/event-stream"

#: Queues an event for sending; never blocks.
SendEvent = Callable[[bytes], None]

#: Tell proxies to forward each event at once.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_END = b""


def event(name: str, data: BaseModel, *, with_nulls: bool = False) -> bytes:
    """Returns an event as bytes; its JSON contains no line breaks, and its empty fields only
    `with_nulls`."""
    return encode_event(data.model_dump_json(exclude_none=not with_nulls), name)


def encode_event(content: str, name: str | None = None) -> bytes:
    """Returns an event as bytes; `content` contains no line breaks."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {content}\n\n".encode()


class EventStream(Response):
    """A response that consists of events.

    An error before the first event is raised, so that it gets its own status; a later error becomes
    the last event. If the client disconnects, `ClientDisconnect` is raised.

    Args:
        produce: sends all events and returns; cancelled if the client disconnects.
        error_event: renders an error as an event.
    """

    media_type = EVENT_STREAM
    background = None

    def __init__(
        self,
        produce: Callable[[SendEvent], Coroutine[Any, Any, None]],
        error_event: Callable[[Fault], bytes],
    ) -> None:
        self._produce = produce
        self._error_event = error_event
        self._has_started = False
        self.status_code = 200
        self.init_headers(_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        events = asyncio.Queue[bytes]()
        # HTTP/1.0 has no chunked responses: such clients get all events at the end.
        is_chunked = scope["http_version"] != "1.0"
        sender = asyncio.create_task(self._send(events, send, is_chunked))
        try:
            await self._produce_all(receive, events.put_nowait)
            await sender
        finally:
            sender.cancel()

    async def _produce_all(self, receive: Receive, send_event: SendEvent) -> None:
        try:
            await cancel_on_disconnect(receive, self._produce(send_event))
        except Seq2SeqError as error:
            if not self._has_started:
                raise
            send_event(self._error_event(to_fault(error)))
        send_event(_END)

    async def _send(self, events: asyncio.Queue[bytes], send: Send, is_chunked: bool) -> None:
        chunk = await events.get()
        self._has_started = True
        headers = self.raw_headers
        if not is_chunked:
            while further := await events.get():
                chunk += further
            events.put_nowait(_END)
            headers = [*headers, (b"content-length", b"%d" % len(chunk))]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        while chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await events.get()
        await send({"type": "http.response.body", "body": b""})
