"""Messages between the server and a model's worker, and how they go over a socket.

Values of the classes below are pickled: both ends are this program, and no other has the socket.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from model.config import SearchOptions
from model.engine import EngineName
from model.search.requests import Hypothesis, Request, ScoringRequest, SearchRequest

Hypotheses = tuple[Hypothesis, ...]
Tokens = tuple[int, ...]

_LENGTH_BYTES = 4
_CHUNK_BYTES = 2**16


class Disconnected(Exception):
    """The other end of a link is closed."""


@dataclass(frozen=True)
class WorkerConfig:
    """What a worker serves: the first message to it. It answers `Ready`, or the error that keeps it
    from serving.

    Attributes:
        model: the folder.
        engine: see `model.engine.load_engine`.
        threads: the same.
        max_rows: rows decoded together.
        max_beam_size: the widest beam of any request.
        max_tokens: the most tokens of any answer.
    """

    model: Path
    engine: EngineName
    threads: int
    max_rows: int
    max_beam_size: int
    max_tokens: int


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its model.

    Attributes:
        sha256: of the model's files, by their names.
    """

    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Submit:
    """A new request.

    Attributes:
        key: a number of its own.
        request: known by this key here, not by its own.
        wants_tokens: whether the worker reports tokens as soon as they are certain.
    """

    key: Hashable
    request: Request
    wants_tokens: bool

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the options only once for all requests with the same ones, as most have."""
        request = self.request
        if isinstance(request, ScoringRequest):
            return Submit, (self.key, replace(request, key=self.key), self.wants_tokens)
        others = request.prefix_ids, request.blocked, request.required, request.wants_attention
        options = _packed(request.options)
        return _submit, (self.key, self.wants_tokens, options, request.source_ids, *others)


@dataclass(frozen=True)
class Cancel:
    """The caller of the request `key` no longer waits for its answer."""

    key: Hashable


@dataclass(frozen=True)
class Flush:
    """The worker's question for further cancellations, before it takes a step."""


@dataclass(frozen=True)
class Flushed:
    """The answer to `Flush`: all cancellations up to then were sent."""


@dataclass(frozen=True)
class Report:
    """What has happened since the last report.

    Attributes:
        steps: taken so far.
        rows_in_use: rows that requests in search may fill.
        compilations: programs that requests had to wait for so far.
        taken: keys of requests that no longer wait for rows.
        tokens: of requests that want them, and what has become certain.
        outcomes: of requests that have left the search: an answer, best hypothesis first, or the
            error.
    """

    steps: int
    rows_in_use: int
    compilations: int
    taken: Sequence[Hashable]
    tokens: Sequence[tuple[Hashable, Tokens]]
    outcomes: Sequence[tuple[Hashable, Hypotheses | Exception]]


def _submit(
    key: Hashable, wants_tokens: bool, options: bytes, source_ids: Sequence[int], *others: Any
) -> Submit:
    request = SearchRequest(key, source_ids, _unpacked(options), *others)
    return Submit(key, request, wants_tokens)


@lru_cache(maxsize=1024)
def _packed(options: SearchOptions) -> bytes:
    return pickle.dumps(options, pickle.HIGHEST_PROTOCOL)


@lru_cache(maxsize=1024)
def _unpacked(options: bytes) -> SearchOptions:
    unpacked: SearchOptions = pickle.loads(options)
    return unpacked


def to_frame(value: Any) -> bytes:
    """Returns `value` as bytes, after their length."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Frames:
    """The values of a stream of bytes, which arrives in chunks."""

    def __init__(self) -> None:
        self._received = bytearray()

    def add(self, data: bytes) -> Iterator[Any]:
        """Yields the values that `data` completes."""
        received = self._received
        received += data
        while len(received) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(received[:_LENGTH_BYTES], "big")
            if len(received) < end:
                return
            value = pickle.loads(received[_LENGTH_BYTES:end])
            del received[:end]
            yield value


class Link:
    """An end of a socket, for threads that may block.

    Args:
        end: is closed with this link.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._frames = Frames()

    def send(self, value: Any) -> None:
        """Sends a value to the other end.

        Raises:
            Disconnected: if that is closed.
        """
        try:
            self._end.sendall(to_frame(value))
        except OSError as error:
            raise Disconnected from error

    def receive(self, *, waits: bool) -> list[Any]:
        """Returns the values that have arrived; with `waits`, blocks until there is one.

        Raises:
            Disconnected: if there is none and the other end is closed.
        """
        values: list[Any] = []
        while True:
            try:
                data = self._end.recv(
                    _CHUNK_BYTES, 0 if waits and not values else socket.MSG_DONTWAIT
                )
            except BlockingIOError:
                return values
            except OSError as error:
                raise Disconnected from error
            values += self._frames.add(data)
            if not data and not values:
                raise Disconnected
            if values and len(data) < _CHUNK_BYTES:
                return values

    def close(self) -> None:
        """Closes this end; the other one notices."""
        self._end.close()
