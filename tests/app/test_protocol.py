"""A real connection to a server that answers in a way that a test can see."""

from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.types import Receive, Scope, Send

from app.protocol import MOST_BYTES, Gathering
from tests.app.fakes import serving
from tests.conftest import PATIENCE_SECONDS

BODY = b"x" * 100_000


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with a body of a size, or closes the connection after it where its path says so."""
    if scope["type"] != "http":
        return
    closing = [(b"connection", b"close")] if scope["path"] == "/close" else []
    size = len(BODY) if scope["path"] == "/large" else 10
    head = [(b"content-length", b"%d" % size), *closing]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": BODY[:size]})


def ask(connection: socket.socket, path: str) -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())


def test_head_and_body_come_together() -> None:
    with serving(application) as client, connect(client.base_url.port) as connection:
        for _ in range(3):
            ask(connection, "/")
            assert connection.recv(2**16).endswith(b"\r\n\r\n" + BODY[:10])


@pytest.mark.parametrize("path", ["/close", "/large", "/"])
def test_nothing_is_lost(path: str) -> None:
    with serving(application) as client:
        for _ in range(3):
            answer = client.get(path)
            assert answer.status_code == 200
            assert answer.content == BODY[: int(answer.headers["content-length"])]


def test_a_connection_is_closed_after_all_was_written() -> None:
    with serving(application) as client, connect(client.base_url.port) as connection:
        ask(connection, "/close")
        received = b""
        while data := connection.recv(2**16):
            received += data
        assert received.endswith(b"\r\n\r\n" + BODY[:10])


class Transport:
    """Raises what uvloop does where a client has reset its connection."""

    def __init__(self) -> None:
        self.written = b""
        self.writes = 0
        self.is_gone = False

    def is_closing(self) -> bool:
        return self.is_gone

    def write(self, data: bytes) -> None:
        assert not self.is_gone, "the handler is closed"
        self.written += data
        self.writes += 1

    def close(self) -> None:
        self.is_gone = True


def test_one_turn_is_one_write() -> None:
    async def write() -> None:
        transport = Transport()
        gathering = Gathering(transport, asyncio.get_running_loop())
        for turn in (1, 2):
            gathering.write(b"head")
            gathering.write(b"body")
            await asyncio.sleep(0)
            assert (transport.written, transport.writes) == (b"headbody" * turn, turn)

    asyncio.run(write())


def test_what_comes_after_a_reset_is_not_written() -> None:
    async def reset() -> None:
        transport = Transport()
        gathering = Gathering(transport, asyncio.get_running_loop())
        gathering.write(b"late")
        transport.is_gone = True
        await asyncio.sleep(0)
        gathering.close()
        assert transport.written == b""

    asyncio.run(reset())


def test_little_is_kept() -> None:
    async def write() -> None:
        transport = Transport()
        gathering = Gathering(transport, asyncio.get_running_loop())
        gathering.write(b"x" * MOST_BYTES)
        assert transport.written == b""
        gathering.write(b"x")
        assert len(transport.written) == MOST_BYTES + 1

    asyncio.run(write())


def connect(port: int | None) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port or 0), timeout=PATIENCE_SECONDS)
