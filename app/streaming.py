"""Server-sent events: an answer that is sent while it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.dependencies import unless_hung_up
from app.http_errors import Fault, to_fault
from model.errors import Seq2SeqError

EVENT_STREAM = "text/event-stream"

#: Sends an event as soon as the client reads on; never blocks.
SendEvent = Callable[[bytes], None]

#: Proxies must pass each event on at once.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_END = b""


def event(name: str, data: BaseModel) -> bytes:
    """Returns an event's bytes; JSON has no line breaks of its own."""
    return f"event: {name}\ndata: {data.model_dump_json(exclude_none=True)}\n\n".encode()


class EventStream(Response):
    """A response that consists of events.

    An error before the first event is raised, so that it gets its own status; a later one becomes
    the last event. If the client hangs up, `ClientDisconnect` is raised.

    Args:
        make: sends all events, and then returns; is cancelled if the client hangs up.
        error_event: describes an error.
    """

    media_type = EVENT_STREAM
    background = None

    def __init__(
        self,
        make: Callable[[SendEvent], Coroutine[Any, Any, None]],
        error_event: Callable[[Fault], bytes],
    ) -> None:
        self._make = make
        self._error_event = error_event
        self._has_begun = False
        self.status_code = 200
        self.init_headers(_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        events = asyncio.Queue[bytes]()
        # A client of HTTP/1.0 reads no chunks: it gets all events at the end.
        is_chunked = scope["http_version"] != "1.0"
        sender = asyncio.create_task(self._send(events, send, is_chunked))
        try:
            await self._make_all(receive, events.put_nowait)
            await sender
        finally:
            sender.cancel()

    async def _make_all(self, receive: Receive, send_event: SendEvent) -> None:
        try:
            await unless_hung_up(receive, self._make(send_event))
        except Seq2SeqError as error:
            if not self._has_begun:
                raise
            send_event(self._error_event(to_fault(error)))
        send_event(_END)

    async def _send(self, events: asyncio.Queue[bytes], send: Send, is_chunked: bool) -> None:
        chunk = await events.get()
        self._has_begun = True
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
