"""Uvicorn's HTTP/1.1 protocol on httptools, with limits on the size and duration of requests.

httptools takes half the time of h11 per request but leaves some of HTTP to its user: the size of
heads, the body of a request that offers an upgrade (as Java's client and `curl --http2` do), and
pipelined requests.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from app.errors import Overloaded
from app.http_errors import Fault, to_fault, to_response
from app.middleware import MAX_HEAD_BYTES, head_too_large, route_path

#: Bytes that a client may pipeline while its last request is answered. Beyond that, reading pauses
#: until then, so that the server does not notice a disconnect either.
MAX_PIPELINED_BYTES = 262_144

#: Bytes of framing (chunk sizes, trailers) that are allowed per byte of a body.
FRAMING_PER_BODY_BYTE = 16


class HttpProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        request_seconds: timeout for the head and body of a request.
        stalled_seconds: time without progress after which a connection is closed whose client does
            not read.
    """

    request_seconds = 30.0
    stalled_seconds = 60.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._answering: RequestResponseCycle | None = None
        self._rejection: Fault | None = None  # sent after the responses to earlier requests
        self._is_in_head = False
        self._is_complete = False  # no request is incomplete
        self._framing_bytes = 0
        self._pipelined_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; it measures progress better than we could
            milliseconds = int(self.stalled_seconds * 1000)
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self._update_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        if self._answering is not None and not self._answering.response_complete:
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing() or self._rejection is not None:
            return
        self._unset_keepalive_if_required()
        if not self._is_complete:
            self._framing_bytes += len(data)
        if self._answering is not None:
            self._pipelined_bytes += len(data)
        self._feed(data)
        if not self._is_complete and self._framing_bytes > MAX_HEAD_BYTES:
            self._reject(head_too_large())
        self._update_deadline()

    def _feed(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._reject(Fault(400, "bad_request", "is not HTTP/1.1"))
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Handles a request as if it did not offer an upgrade, as a server may (RFC 9110, section
        7.8). The parser would take everything after its head for another protocol."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self._reject(Fault(400, "bad_request", "CONNECT is for proxies"))
            return
        fields = [field for field in self.headers if field[0] != b"upgrade"]
        lines = [b"%b %b HTTP/%b" % (method, self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b" % field for field in fields]
        self.parser = httptools.HttpRequestParser(self)
        self._feed(b"\r\n".join([*lines, b"", rest]))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._is_complete, self._framing_bytes = True, False, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:  # and not in the trailers of a chunked body
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._framing_bytes -= FRAMING_PER_BODY_BYTE * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            self._is_complete = True
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, _reject_connection if app is service_unavailable else app)

    def on_response_complete(self) -> None:
        self._answering, self._pipelined_bytes = None, 0
        super().on_response_complete()
        if self._rejection is not None:
            self._reject(self._rejection)

    def _update_deadline(self) -> None:
        """Sets a deadline for an incomplete request; resumes reading after a complete one."""
        if not self._is_complete and self._deadline is None:
            self._deadline = self.loop.call_later(self.request_seconds, self._expire)
        elif self._is_complete:
            self._cancel_deadline()
            if self.flow.read_paused and self._pipelined_bytes < MAX_PIPELINED_BYTES:
                self.flow.resume_reading()

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        reason = f"the request was not complete within {self.request_seconds:g} seconds"
        self._reject(Fault(408, "request_timeout", reason))

    def _reject(self, fault: Fault) -> None:
        """Responds without the application, after earlier requests, and closes the connection."""
        answering = self._answering
        if answering is not None and not answering.more_body and not self.transport.is_closing():
            self._rejection = fault
            return
        if answering is None or not answering.response_started:
            answer = to_response(fault)
            answer.headers["connection"] = "close"
            fields = [b"%b: %b\r\n" % field for field in answer.raw_headers]
            content = [STATUS_LINE[fault.status], *fields, b"\r\n", bytes(answer.body)]
            self.transport.write(b"".join(content))
        self.transport.close()


async def _reject_connection(scope: Any, receive: Any, send: Any) -> None:
    """Rejects a connection beyond the limit."""
    fault = to_fault(Overloaded("too many connections; try again later"))
    answer = to_response(fault, route_path(scope))
    answer.headers["connection"] = "close"
    await answer(scope, receive, send)
