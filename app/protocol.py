"""HTTP as uvicorn speaks it, with fewer writes."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: What is kept at most.
MOST_BYTES = 2**16


class OneWrite(HttpToolsProtocol):
    """Writes what one turn of the event loop gives it at once: the head of an answer with its body.
    Each write costs a call of the kernel, and wakes the client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport: Any = Gathering(transport, self.loop)


class Gathering:
    """A transport that keeps what is written until the loop's next turn. All else goes to the other
    at once: a protocol must do no more than `write` and `close` with it.

    Args:
        transport: the other, which writes.
        loop: its event loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept: list[bytes] = []
        self._kept_bytes = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Keeps `data`, or writes all that was kept where it is much."""
        if not self._kept:
            self._loop.call_soon(self._flush)
        self._kept.append(data)
        self._kept_bytes += len(data)
        if self._kept_bytes > MOST_BYTES:  # whoever writes on must be able to learn to wait
            self._flush()

    def close(self) -> None:
        """Writes what was kept, and closes."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        kept, self._kept, self._kept_bytes = self._kept, [], 0
        if kept and not self._transport.is_closing():  # the client may have gone meanwhile
            self._transport.write(b"".join(kept))
