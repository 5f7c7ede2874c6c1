"""What the server and a model's worker tell each other, and how it goes over a socket.

Values of the classes below are pickled: both ends are this program, and nobody else has the socket.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from model.config import SearchOptions
from model.engine import EngineName
from model.search.requests import Hypothesis, SearchRequest

Hypotheses = tuple[Hypothesis, ...]
Tokens = tuple[int, ...]

_LENGTH_BYTES = 4
_CHUNK_BYTES = 2**16


class Gone(Exception):
    """Nobody is at the other end of a link any more."""


@dataclass(frozen=True)
class Order:
    """What a worker serves. The first that it is told; it answers `Ready`, or the error that keeps
    it from serving.

    Attributes:
        model: the folder.
        engine: see `model.engine.load_engine`.
        threads: the same.
        max_rows: rows decoded together.
        max_beam_size: the widest beam that will be asked for.
    """

    model: Path
    engine: EngineName
    threads: int
    max_rows: int
    max_beam_size: int


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its model.

    Attributes:
        sha256: of the model's files, by their names.
    """

    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Asked:
    """A request comes.

    Attributes:
        key: a number of its own.
        request: told by this key, whatever its own is.
        wants_tokens: whether tokens are to be told as soon as they are certain.
    """

    key: Hashable
    request: SearchRequest
    wants_tokens: bool

    def __reduce__(self) -> tuple[Any, ...]:
        """Options as bytes that were packed once: most callers wish the same."""
        asks = self.request
        wishes = asks.prefix_ids, asks.blocked, asks.required, asks.wants_attention
        options = _packed(asks.options)
        return _asked, (self.key, self.wants_tokens, options, asks.source_ids, *wishes)


@dataclass(frozen=True)
class Left:
    """Nobody waits for the request `key` any more."""

    key: Hashable


@dataclass(frozen=True)
class WhoElse:
    """The worker asks who else has left, before it takes a step for them."""


@dataclass(frozen=True)
class NobodyElse:
    """Of all who had left when the worker asked, it has been told."""


@dataclass(frozen=True)
class Report:
    """What has happened since the last report.

    Attributes:
        steps: taken so far.
        rows_in_use: rows that requests in search may fill.
        taken: keys of requests that wait for rows no more.
        tokens: of requests that want them, and what has become certain.
        outcomes: of requests that have left the search: an answer, best hypothesis first, or what
            went wrong.
    """

    steps: int
    rows_in_use: int
    taken: Sequence[Hashable]
    tokens: Sequence[tuple[Hashable, Tokens]]
    outcomes: Sequence[tuple[Hashable, Hypotheses | Exception]]


def _asked(
    key: Hashable, wants_tokens: bool, options: bytes, source_ids: Sequence[int], *wishes: Any
) -> Asked:
    request = SearchRequest(key, source_ids, _unpacked(options), *wishes)
    return Asked(key, request, wants_tokens)


@lru_cache(maxsize=1024)
def _packed(options: SearchOptions) -> bytes:
    return pickle.dumps(options, pickle.HIGHEST_PROTOCOL)


@lru_cache(maxsize=1024)
def _unpacked(options: bytes) -> SearchOptions:
    unpacked: SearchOptions = pickle.loads(options)
    return unpacked


def to_frame(value: Any) -> bytes:
    """`value` with its length before it."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class Frames:
    """Puts together what comes in pieces."""

    def __init__(self) -> None:
        self._received = bytearray()

    def add(self, data: bytes) -> Iterator[Any]:
        """The values that are whole once `data` has come."""
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
    """An end of a socket for threads that may wait.

    Args:
        end: is closed with this link.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._frames = Frames()

    def send(self, value: Any) -> None:
        """Tells the other end.

        Raises:
            Gone: if nobody is there.
        """
        try:
            self._end.sendall(to_frame(value))
        except OSError as error:
            raise Gone from error

    def receive(self, *, waits: bool) -> list[Any]:
        """What has come; `waits` until there is something.

        Raises:
            Gone: if nothing has come and nobody is there.
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
                raise Gone from error
            values += self._frames.add(data)
            if not data and not values:
                raise Gone
            if values and len(data) < _CHUNK_BYTES:
                return values

    def close(self) -> None:
        """Lets the other end know that this one is gone."""
        self._end.close()
