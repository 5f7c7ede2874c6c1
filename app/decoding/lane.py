"""Requests that are decoded together: they wait, are encoded, join the search, step and leave.

Knows no server: events for it are collected in a `PendingReport`.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from app.decoding.messages import Hypotheses, Tokens
from model.errors import EngineError
from model.search.requests import Request
from model.search.search import Encoded, Search

logger = logging.getLogger(__name__)

#: How often smaller requests may overtake the first request of a queue.
MAX_OVERTAKES = 16


@dataclass(eq=False)
class Job:
    """A request until it is answered or cancelled.

    Attributes:
        key: identifies the request.
        request: the request to search.
        is_streamed: whether tokens are reported as soon as they are final.
        tokens_reported: number of tokens reported so far.
        is_cancelled: whether it was cancelled.
    """

    key: Hashable
    request: Request
    is_streamed: bool
    tokens_reported: int = 0
    is_cancelled: bool = False

    @property
    def rows(self) -> int:
        """Returns the number of rows that it may fill."""
        return self.request.rows


class RequestQueue:
    """First-come, first-served queue with backfilling.

    Smaller requests may overtake one that needs more rows than are free, so that no row is idle
    because of it, but only `max_overtakes` times. After that, all rows that become free are
    reserved for it. The first request therefore waits for at most `max_overtakes` calls of `admit`
    and the longest reply in search, and the others wait for it only until it has its rows.
    """

    def __init__(self, max_overtakes: int = MAX_OVERTAKES) -> None:
        self._max_overtakes = max_overtakes
        self._waiting: deque[Job] = deque()
        self._first: Job | None = None
        self._times_overtaken = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: Job) -> None:
        """Appends a request."""
        self._waiting.append(request)

    def admit(self, free_rows: int) -> list[Job]:
        """Removes and returns the requests that join the search; drops cancelled ones."""
        admitted = self._select(free_rows) if free_rows else []
        first = self._waiting[0] if self._waiting else None
        self._times_overtaken = self._times_overtaken + 1 if first is self._first else 1
        self._first = first
        return admitted

    def _select(self, free_rows: int) -> list[Job]:
        admitted: list[Job] = []
        remaining: deque[Job] = deque()
        for request in self._waiting:
            if request.is_cancelled:
                continue
            if request.rows <= free_rows and not (remaining and self._reserves_rows(remaining[0])):
                admitted.append(request)
                free_rows -= request.rows
            else:
                remaining.append(request)
        self._waiting = remaining
        return admitted

    def _reserves_rows(self, first: Job) -> bool:
        return first is self._first and self._times_overtaken >= self._max_overtakes


@dataclass
class PendingReport:
    """Events that are not reported yet; see `app.decoding.messages.Report`."""

    admitted: list[Hashable] = field(default_factory=list)
    tokens: list[tuple[Hashable, Tokens]] = field(default_factory=list)
    results: list[tuple[Hashable, Hypotheses | Exception]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.admitted or self.tokens or self.results)

    def clear(self) -> None:
        """Removes all events, once they are reported."""
        self.admitted, self.tokens, self.results = [], [], []


class Lane:
    """A search whose requests are decoded together.

    Args:
        new_search: builds an empty search.
        encoder: encodes sources in parallel with the steps.
        pending: receives the events.
        report: sends the pending events at once, without waiting for the end of a step.
        max_rows: rows decoded together; see `SearchRequest.rows`.
        time_factor: factor of `virtual_time`; the lane with the smaller factor gets more time.

    Attributes:
        virtual_time: seconds spent in steps so far, times `time_factor`.
        steps: number of steps so far.
        rows_in_use: rows reserved for its requests.
        running: requests in search.
    """

    def __init__(
        self,
        new_search: Callable[[], Search],
        encoder: Executor,
        pending: PendingReport,
        report: Callable[[], None],
        *,
        max_rows: int,
        time_factor: float,
    ) -> None:
        self.virtual_time = 0.0
        self.steps = 0
        self.rows_in_use = 0
        self.running: dict[Hashable, Job] = {}
        self._new_search = new_search
        self._encoder = encoder
        self._pending = pending
        self._report = report
        self._max_rows = max_rows
        self._time_factor = time_factor
        self._queue = RequestQueue()
        self._encoding: tuple[list[Job], Future[Encoded]] | None = None
        self._search = new_search()
        self._has_cancelled = False  # among the requests that have rows

    @property
    def is_idle(self) -> bool:
        """Tells whether there is nothing to do."""
        return not (self.running or self._queue or self._encoding)

    def add(self, job: Job) -> None:
        """Appends a request to the queue."""
        self._queue.add(job)

    def cancel(self, job: Job) -> None:
        """Marks a request as cancelled."""
        job.is_cancelled = self._has_cancelled = True

    def admit(self) -> None:
        """Removes cancelled requests and admits new ones, between two steps."""
        self._join_encoded()
        self._remove_cancelled()
        self._encode_next()

    def step(self) -> None:
        """Extends all hypotheses in search by a token. An error fails only their requests."""
        started = time.perf_counter()
        self.steps += 1
        try:
            for key, hypotheses in self._search.step():
                self._free([self.running[key]])
                self._pending.results.append((key, hypotheses))
            self._add_tokens()
        except Exception:
            logger.exception("a step failed with %d requests in search", len(self.running))
            self._fail(self.running.values())
            self._search = self._new_search()
        self.virtual_time += (time.perf_counter() - started) * self._time_factor

    def _remove_cancelled(self) -> None:
        if not self._has_cancelled:
            return
        abandoned = [job for job in self.running.values() if job.is_cancelled]
        self._search.remove({job.key for job in abandoned})
        self._free(abandoned)
        encoding = self._encoding[0] if self._encoding else []
        self._has_cancelled = any(job.is_cancelled for job in encoding)
        self._report()

    def _free(self, jobs: Iterable[Job]) -> None:
        """Frees the rows of `jobs`."""
        for job in jobs:
            self.running.pop(job.key, None)
            self.rows_in_use -= job.rows

    def _encode_next(self) -> None:
        """Submits the next requests to the encoder, unless it is busy. If nothing is in search,
        they join at once."""
        if self._encoding or not (jobs := self._queue.admit(self._max_rows - self.rows_in_use)):
            return
        self.rows_in_use += sum(job.rows for job in jobs)
        self._pending.admitted += [job.key for job in jobs]
        self._report()  # before encoding, so that the server knows them if one kills this process
        requests = [job.request for job in jobs]
        self._encoding = jobs, self._encoder.submit(self._search.encode, requests)
        if not self.running:
            self._join_encoded()

    def _join_encoded(self) -> None:
        """Adds the encoded requests to the search. If encoding failed, only these requests fail."""
        if not self._encoding or (self.running and not self._encoding[1].done()):
            return
        (jobs, encoded), self._encoding = self._encoding, None
        try:
            self._search.join(encoded.result())
        except Exception:
            logger.exception("%d requests could not join the search", len(jobs))
            self._fail(jobs)
        else:
            self.running.update((job.key, job) for job in jobs)

    def _add_tokens(self) -> None:
        """Adds the new final tokens of streamed requests to the pending report."""
        reported = {
            key: job.tokens_reported for key, job in self.running.items() if job.is_streamed
        }
        for key, tokens in self._search.final_tokens(reported).items() if reported else ():
            self.running[key].tokens_reported += len(tokens)
            self._pending.tokens.append((key, tokens))

    def _fail(self, jobs: Iterable[Job]) -> None:
        jobs = list(jobs)
        self._free(jobs)
        self._pending.results += [(job.key, EngineError("the model failed")) for job in jobs]
