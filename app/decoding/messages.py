"""Messages between the server and a model's worker, and their transport over a socket.

Messages are pickled: both ends run this program, and no other program has the socket.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from model.engine import EngineName
from model.search.requests import Hypothesis, Request, ScoringRequest, SearchRequest

if TYPE_CHECKING:
    from model.config import SearchOptions

Hypotheses = tuple[Hypothesis, ...]
Tokens = tuple[int, ...]

_LENGTH_BYTES = 4
_CHUNK_BYTES = 2**16


class Disconnected(Exception):
    """The other end of a connection is closed."""


@dataclass(frozen=True)
class WorkerConfig:
    """Configuration of a worker, and the first message to it. The worker answers `Ready`, or the
    error that prevents it from serving.

    Attributes:
        model: the folder.
        document: its configuration as plain values, of which none is left out.
        engine: see `model.engine.load_engine`.
        threads: see `model.engine.load_engine`.
        max_rows: rows decoded together.
        max_beam_size: maximum beam size of a request.
        max_tokens: maximum number of tokens of an answer.
    """

    model: Path
    document: Mapping[str, Any]
    engine: EngineName
    threads: int
    max_rows: int
    max_beam_size: int
    max_tokens: int


@dataclass(frozen=True)
class Ready:
    """A worker has loaded its model.

    Attributes:
        sha256: SHA-256 hash of each of the model's files, by file name.
    """

    sha256: Mapping[str, str]


@dataclass(frozen=True)
class Submit:
    """A new request.

    Attributes:
        key: identifies the request.
        request: its own key is ignored in favour of `key`.
        is_streamed: whether the worker reports tokens as soon as they are final.
    """

    key: Hashable
    request: Request
    is_streamed: bool

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles equal options only once: most requests have the same ones."""
        request = self.request
        if isinstance(request, ScoringRequest):
            return Submit, (self.key, replace(request, key=self.key), self.is_streamed)
        others = request.prefix_ids, request.blocked, request.required, request.with_attention
        options = _pickle_options(request.options)
        return _rebuild_submit, (self.key, self.is_streamed, options, request.source_ids, *others)


@dataclass(frozen=True)
class Cancel:
    """Cancellation of the request `key`."""

    key: Hashable


@dataclass(frozen=True)
class Flush:
    """Request of the worker for all pending cancellations, before it takes a step."""


@dataclass(frozen=True)
class Flushed:
    """Answer to `Flush`, sent after all pending cancellations."""


@dataclass(frozen=True)
class Report:
    """Events since the last report.

    Attributes:
        steps: decoder steps so far.
        rows_in_use: rows reserved for the requests in search.
        compilations: programs compiled so far while requests waited.
        admitted: keys of requests that were admitted and no longer wait for rows.
        tokens: keys of streamed requests, with their new final tokens.
        results: keys of requests that have left the search, with their hypotheses, best first, or
            the error.
    """

    steps: int
    rows_in_use: int
    compilations: int
    admitted: Sequence[Hashable]
    tokens: Sequence[tuple[Hashable, Tokens]]
    results: Sequence[tuple[Hashable, Hypotheses | Exception]]


def _rebuild_submit(
    key: Hashable, is_streamed: bool, options: bytes, source_ids: Sequence[int], *others: Any
) -> Submit:
    request = SearchRequest(key, source_ids, _unpickle_options(options), *others)
    return Submit(key, request, is_streamed)


@lru_cache(maxsize=64)  # options may hold 64 KB of blocked words
def _pickle_options(options: SearchOptions) -> bytes:
    return pickle.dumps(dict(options), pickle.HIGHEST_PROTOCOL)


@lru_cache(maxsize=64)
def _unpickle_options(options: bytes) -> SearchOptions:
    return plain_options(pickle.loads(options))


def plain_options(values: Mapping[str, Any]) -> SearchOptions:
    """Returns options that a search can read, without their class: pydantic would take 10 MiB of a
    worker."""
    return cast("SearchOptions", SimpleNamespace(**values))


def encode_frame(value: Any) -> bytes:
    """Returns `value` as bytes, preceded by their length."""
    body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


class FrameDecoder:
    """Decoder of a byte stream that arrives in chunks."""

    def __init__(self) -> None:
        self._received = bytearray()

    def add(self, data: bytes) -> Iterator[Any]:
        """Adds a chunk and yields the values that it completes."""
        received = self._received
        received += data
        while len(received) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(received[:_LENGTH_BYTES], "big")
            if len(received) < end:
                return
            value = pickle.loads(received[_LENGTH_BYTES:end])
            del received[:end]
            yield value


class Connection:
    """Blocking connection over one end of a socket pair, for threads.

    Args:
        end: the socket, which is closed with this connection.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._frames = FrameDecoder()

    def send(self, value: Any) -> None:
        """Sends a value to the other end.

        Raises:
            Disconnected: if the other end is closed.
        """
        try:
            self._socket.sendall(encode_frame(value))
        except OSError as error:
            raise Disconnected from error

    def receive(self, *, block: bool) -> list[Any]:
        """Returns the values that have arrived; with `block`, waits for at least one.

        Raises:
            Disconnected: if there is none and the other end is closed.
        """
        values: list[Any] = []
        while True:
            try:
                data = self._socket.recv(
                    _CHUNK_BYTES, 0 if block and not values else socket.MSG_DONTWAIT
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
        """Closes this end, which the other end notices."""
        self._socket.close()
