"""A light HTTP client that puts a server under load: sockets, no library, one process of its own.

It shares the machine with what it measures, so it does as little as it can for each request and
tells what that cost.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_TOKENS = re.compile(rb'"completion_tokens":(\d+)')
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What became of one request.

    Attributes:
        seconds: from the moment at which it was due to the last byte of its answer.
        status: of HTTP; 0 if the connection broke.
        tokens: of the reply, 0 if there is none.
    """

    seconds: float
    status: int
    tokens: int


@dataclass
class Load:
    """What a run found.

    Attributes:
        answers: one for each request, in the order in which they were answered.
        seconds: of the run.
        cpu_seconds: that the client itself used.
        bodies: of the answers, by the number of the request, if they were to be kept.
    """

    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    bodies: dict[int, bytes] = field(default_factory=dict)


def request_bytes(body: dict[str, object], path: str = "/reply") -> bytes:
    """Returns a whole HTTP request."""
    content = json.dumps(body).encode()
    head = (
        b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n"
    )
    return head % (path.encode(), len(content)) + content


def closed_loop(
    port: int, requests: Sequence[bytes], clients: int, *, keep_bodies: bool = False
) -> Load:
    """Sends `requests` over `clients` connections, each of which sends one as soon as its last one
    is answered. Runs in a process of its own."""
    return _in_process(port, requests, None, clients, keep_bodies)


def open_loop(
    port: int,
    requests: Sequence[bytes],
    per_second: float,
    *,
    seed: int = 0,
    keep_bodies: bool = False,
) -> Load:
    """Sends requests at random moments (Poisson), whether or not others are answered. A new
    connection is opened where all are busy. Runs in a process of its own."""
    moments = random_moments(len(requests), per_second, seed=seed)
    return _in_process(port, requests, moments, 0, keep_bodies)


def random_moments(count: int, per_second: float, *, seed: int) -> list[float]:
    """Draws moments of a Poisson process, in seconds."""
    draw = random.Random(seed)
    return list(accumulate(draw.expovariate(per_second) for _ in range(count)))


def _in_process(*arguments: object) -> Load:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, arguments)


def _run(
    port: int,
    requests: Sequence[bytes],
    moments: Sequence[float] | None,
    clients: int,
    keep_bodies: bool,
) -> Load:
    client = _Client(port, requests, keep_bodies)
    uvloop.run(client.ask_in_turn(clients) if moments is None else client.ask_at(moments))
    return client.load


class _Client:
    """Connections, and what they are to ask."""

    def __init__(self, port: int, requests: Sequence[bytes], keep_bodies: bool) -> None:
        self.load = Load()
        self._port = port
        self._requests = requests
        self._keep_bodies = keep_bodies
        self._next = 0
        self._idle: deque[_Connection] = deque()
        self._is_closed_loop = False

    async def ask_in_turn(self, clients: int) -> None:
        self._is_closed_loop = True
        connections = [await self._connect() for _ in range(min(clients, len(self._requests)))]
        self._start_clock()
        for connection in connections:
            self._ask(connection, time.perf_counter())
        await self._finish()

    async def ask_at(self, moments: Sequence[float]) -> None:
        begin = self._start_clock()
        for moment in moments:
            wait = begin + moment - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            connection = self._idle.pop() if self._idle else await self._connect()
            self._ask(connection, begin + moment)
        await self._finish()

    def answered(self, connection: _Connection, status: int, answer: bytes) -> None:
        tokens = _TOKENS.search(answer)
        seconds = time.perf_counter() - connection.due
        self.load.answers.append(Answer(seconds, status, int(tokens[1]) if tokens else 0))
        if self._keep_bodies:
            self.load.bodies[connection.number] = answer
        if len(self.load.answers) == len(self._requests):
            self._done.set()
        elif not self._is_closed_loop:
            if status:
                self._idle.append(connection)
        elif self._next < len(self._requests):
            if status:
                self._ask(connection, time.perf_counter())
            else:
                self._renewal = asyncio.get_running_loop().create_task(self._ask_anew())

    async def _ask_anew(self) -> None:
        self._ask(await self._connect(), time.perf_counter())

    def lost(self, connection: _Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)
        elif connection.is_waiting and not self._done.is_set():
            self.answered(connection, 0, b"")

    def _start_clock(self) -> float:
        self._done = asyncio.Event()
        self._cpu, self._start = time.process_time(), time.perf_counter()
        return self._start

    async def _finish(self) -> None:
        async with asyncio.timeout(_PATIENCE_S + len(self._requests)):
            await self._done.wait()
        self.load.seconds = time.perf_counter() - self._start
        self.load.cpu_seconds = time.process_time() - self._cpu

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: _Connection(self), "127.0.0.1", self._port
        )
        return connection

    def _ask(self, connection: _Connection, due: float) -> None:
        connection.ask(self._next, self._requests[self._next], due)
        self._next += 1


class _Connection(asyncio.Protocol):
    """One that is kept, and asks one thing at a time."""

    def __init__(self, client: _Client) -> None:
        self.due = 0.0
        self.number = -1
        self.is_waiting = False
        self._client = client
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, number: int, request: bytes, due: float) -> None:
        self.number, self.due, self._received = number, due, b""
        self.is_waiting = True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        head, gap, body = received.partition(b"\r\n\r\n")
        if gap:
            length = _LENGTH.search(head)
            if length and len(body) >= int(length[1]):
                self.is_waiting = False
                self._client.answered(self, int(received[9:12]), body)

    def connection_lost(self, error: Exception | None) -> None:
        self._client.lost(self)
