"""A worker between two ends of a socket, with a clock that only steps move."""

from __future__ import annotations

import socket
import threading
from collections.abc import Hashable

import pytest

from app.decoding.messages import Connection, Report, Submit
from app.decoding.worker import Worker
from model.config import SearchOptions
from model.contract import StepResult
from model.search.requests import SearchRequest
from model.search.search import Search
from model.types import Int32
from tests.app.fakes import loop
from tests.engines import TableEngine

COSTLY, PLAIN = 0, 1


class TimedEngine(TableEngine):
    """A step takes a second for each row."""

    def __init__(self) -> None:
        super().__init__(loop(40, 7))
        self.seconds = 0.0
        self.rows: list[int] = []

    def step(
        self, sources: Int32, tokens: Int32, top_k: int, wanted: Int32 | None = None
    ) -> StepResult:
        self.seconds += tokens.size
        self.rows.append(tokens.size)
        return super().step(sources, tokens, top_k, wanted)


def decode(engine: TimedEngine, requests: dict[Hashable, SearchRequest]) -> list[Hashable]:
    """Keys in the order in which they are answered. All requests are there at the start."""
    return [key for report in reports(engine, requests) for key, _ in report.results]


def reports(engine: TimedEngine, requests: dict[Hashable, SearchRequest]) -> list[Report]:
    """What the worker reports until all requests are answered."""
    ours, theirs = map(Connection, socket.socketpair())
    for key, request in requests.items():
        ours.send(Submit(key, request, is_streamed=False))
    worker = Worker(
        lambda: Search(engine, bos_id=2, eos_id=3),
        theirs,
        max_rows=64,
        compilations=lambda: len(engine.rows),
    )
    thread = threading.Thread(target=worker.run)
    thread.start()
    found: list[Report] = []
    while sum(len(report.results) for report in found) < len(requests):
        found += [each for each in ours.receive(block=True) if isinstance(each, Report)]
    ours.close()
    thread.join()
    return found


def request_of(beam_size: int, tokens: int) -> SearchRequest:
    options = SearchOptions(beam_size=beam_size, min_tokens=tokens, max_tokens=tokens)
    return SearchRequest(None, [5, 3], options)


def test_costly_requests_get_a_quarter_of_the_time_beside_plain_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = TimedEngine()
    monkeypatch.setattr("time.perf_counter", lambda: engine.seconds)
    answered = decode(engine, {COSTLY: request_of(16, 200), PLAIN: request_of(1, 200)})
    assert answered == [PLAIN, COSTLY]
    last_plain = len(engine.rows) - engine.rows[::-1].index(1)
    beside = engine.rows[:last_plain].count(16) * 16
    assert 0 < beside <= 200 / 3 + 16
    assert max(engine.rows) == 16  # they never step together


def test_costly_requests_that_are_alone_get_all_of_the_time() -> None:
    engine = TimedEngine()
    assert decode(engine, {COSTLY: request_of(16, 100)}) == [COSTLY]
    assert len(engine.rows) == 100


def test_programs_that_requests_wait_for_are_reported() -> None:
    found = reports(TimedEngine(), {PLAIN: request_of(1, 5)})  # whose every step compiles one
    assert [report.compilations for report in found][-1] == 5
