"""Decodes the requests of many callers together, on one thread that belongs to one model.

Continuous batching: between any two steps of the decoder finished and abandoned requests leave and
waiting ones join, in the order in which they came. The event loop only ever waits for a future.
Knows no HTTP and no text.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from app.errors import DeadlineExceeded, Overloaded, Unavailable
from model.errors import EngineError
from model.search.beam import Search
from model.search.requests import Hypothesis, SearchRequest

logger = logging.getLogger(__name__)

Hypotheses = tuple[Hypothesis, ...]


@dataclass(eq=False)
class _Job:
    """A request, from the moment it is submitted until its caller has an answer or has gone.

    Attributes:
        request: what to search; its key is unique.
        answer: belongs to the caller's event loop; only `settle` touches it from elsewhere.
        is_abandoned: nobody waits any more. Set by the event loop, read by the worker.
    """

    request: SearchRequest
    answer: asyncio.Future[Hypotheses]
    is_abandoned: bool = False

    @property
    def rows(self) -> int:
        """Rows that it may fill."""
        return self.request.options.beam_size

    def settle(self, outcome: Hypotheses | Exception) -> None:
        """Answers the caller, from the worker's thread."""
        with suppress(RuntimeError):  # its event loop is closed: nobody is there to be told
            self.answer.get_loop().call_soon_threadsafe(_settle, self.answer, outcome)


class Scheduler:
    """Searches for many callers at a time.

    Args:
        new_search: makes a search without requests. Only this scheduler's worker calls it, and
            the engine below it, from now on.
        max_rows: rows decoded together. A request takes as many as its beam is wide.
        max_queue: requests that may wait for rows to become free.
    """

    def __init__(self, new_search: Callable[[], Search], *, max_rows: int, max_queue: int) -> None:
        self._new_search = new_search
        self._max_rows = max_rows
        self._max_queue = max_queue
        self._keys = itertools.count()
        self._wake = threading.Condition()  # guards the two that follow
        self._waiting: deque[_Job] = deque()
        self._is_closing = False
        self._running: dict[Hashable, _Job] = {}  # the worker's own, as is the search
        self._search = self._new_search()
        self._worker = threading.Thread(target=self._work, name="scheduler", daemon=True)
        self._worker.start()

    @property
    def is_alive(self) -> bool:
        """Whether requests are being worked on."""
        return self._worker.is_alive() and not self._is_closing

    async def submit(self, request: SearchRequest, *, timeout_seconds: float) -> Hypotheses:
        """Waits for the answer to one request, best hypothesis first. If the caller is cancelled,
        the request leaves the search at its next step. Its key is not looked at.

        Raises:
            Overloaded: if the queue is full.
            DeadlineExceeded: if there is no answer after `timeout_seconds`.
            EngineError: if the engine failed while this request was in search.
            Unavailable: if the scheduler is closed.
            ValueError: if its beam is wider than `max_rows`.
        """
        if request.options.beam_size > self._max_rows:
            raise ValueError(
                f"beam_size must not exceed max_rows={self._max_rows}. "
                f"Received: beam_size={request.options.beam_size}"
            )
        request = replace(request, key=next(self._keys))
        job = _Job(request, asyncio.get_running_loop().create_future())
        self._enqueue(job)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await job.answer
        except TimeoutError:
            raise DeadlineExceeded(f"no answer within {timeout_seconds:g} seconds") from None
        finally:
            self._abandon(job)

    def close(self) -> None:
        """Stops after the step that is running. Who still waits gets `Unavailable`."""
        with self._wake:
            self._is_closing = True
            self._wake.notify()
        self._worker.join()

    def _enqueue(self, job: _Job) -> None:
        with self._wake:
            if not self.is_alive:
                raise Unavailable("the server is not working on requests; try again later")
            if len(self._waiting) >= self._max_queue:
                raise Overloaded(f"{len(self._waiting)} requests wait already; try again later")
            self._waiting.append(job)
            self._wake.notify()

    def _abandon(self, job: _Job) -> None:
        job.is_abandoned = True
        with self._wake, suppress(ValueError):
            self._waiting.remove(job)

    def _work(self) -> None:
        """The worker's life. An error fails the requests concerned and nothing else."""
        try:
            while self._has_work():
                try:
                    self._drop_abandoned()
                    self._admit(self._next_in_line())
                    self._step()
                except Exception:
                    logger.exception("a step failed with %d requests in search", len(self._running))
                    self._fail(self._running.values(), EngineError, "the model failed")
                    self._running.clear()
                    self._search = self._new_search()
        finally:
            with self._wake:
                self._is_closing = True
                left_over = [*self._running.values(), *self._waiting]
            self._fail(left_over, Unavailable, "the server is stopping; try again later")

    def _has_work(self) -> bool:
        """Sleeps until there is some. False if there will be none any more."""
        with self._wake:
            self._wake.wait_for(lambda: self._is_closing or self._waiting or self._running)
            return not self._is_closing

    def _drop_abandoned(self) -> None:
        gone = {key for key, job in self._running.items() if job.is_abandoned}
        if gone:
            self._search.remove(gone)
            self._running = {k: job for k, job in self._running.items() if k not in gone}

    def _next_in_line(self) -> list[_Job]:
        """Takes those that fit off the queue. One that does not fit is not overtaken."""
        free_rows = self._max_rows - sum(job.rows for job in self._running.values())
        newcomers = []
        with self._wake:
            while self._waiting and self._waiting[0].rows <= free_rows:
                newcomers.append(self._waiting.popleft())
                free_rows -= newcomers[-1].rows
        return newcomers

    def _admit(self, newcomers: Sequence[_Job]) -> None:
        """Lets requests join the search. If their sources cannot be read, only they fail."""
        try:
            self._search.add([job.request for job in newcomers])
        except Exception:
            logger.exception("%d requests could not join the search", len(newcomers))
            self._fail(newcomers, EngineError, "the model failed")
        else:
            self._running.update((job.request.key, job) for job in newcomers)

    def _step(self) -> None:
        for key, hypotheses in self._search.step():
            self._running.pop(key).settle(hypotheses)

    @staticmethod
    def _fail(jobs: Iterable[_Job], kind: type[Exception], message: str) -> None:
        for job in jobs:
            job.settle(kind(message))  # one error each: a raised error remembers its raiser


def _settle(answer: asyncio.Future[Hypotheses], outcome: Hypotheses | Exception) -> None:
    if answer.done():  # cancelled
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
