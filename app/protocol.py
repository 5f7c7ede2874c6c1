"""HTTP/1.1 as uvicorn speaks it on h11, with limits on what a client may send and for how long.

h11 and not httptools: that one has no limit on heads, drops the body of a request that offers an
upgrade (as Java's client and `curl --http2` do), and sends chunks to clients of HTTP/1.0.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from app.http_errors import Fault, to_response
from app.middleware import MAX_HEAD_BYTES, head_too_large

#: Bytes that a client may send ahead while its last request is answered. Beyond that nothing is
#: read until then, so the server does not notice either that the client hangs up.
MAX_BYTES_AHEAD = 262_144


class HttpProtocol(H11Protocol):
    """One connection.

    Attributes:
        request_seconds: time in which a request must arrive with its head and body.
    """

    request_seconds = 30.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget_deadline()

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)
            self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answers invalid HTTP, or too long a head, in the shape of all errors."""
        is_long = len(self.conn.trailing_data[0]) > MAX_HEAD_BYTES
        self._refuse(head_too_large() if is_long else Fault(400, "bad_request", "is not HTTP/1.1"))

    def _watch(self) -> None:
        """Sets a deadline for an incomplete request, and reads on behind a complete one."""
        is_whole = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        if not is_whole and self._deadline is None:
            self._deadline = self.loop.call_later(self.request_seconds, self._give_up)
        elif is_whole:
            self._forget_deadline()
            if self.flow.read_paused and len(self.conn.trailing_data[0]) < MAX_BYTES_AHEAD:
                self.flow.resume_reading()

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        reason = f"the request was not complete within {self.request_seconds:g} seconds"
        self._refuse(Fault(408, "request_timeout", reason))

    def _refuse(self, fault: Fault) -> None:
        """Answers without the application, unless it does so already, and closes the connection."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            answer = to_response(fault)
            answer.headers["connection"] = "close"
            fields = [b"%b: %b\r\n" % field for field in answer.raw_headers]
            status = b"HTTP/1.1 %d %b\r\n" % (fault.status, STATUS_PHRASES[fault.status])
            self.transport.write(b"".join([status, *fields, b"\r\n", bytes(answer.body)]))
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Returns False: a server may ignore an upgrade (RFC 9110, section 7.8)."""
        return False
