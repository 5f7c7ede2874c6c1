"""Decodes the requests of many callers together, on two threads that belong to one model.

Continuous batching: between any two steps of the decoder finished and abandoned requests leave and
waiting ones join. While the worker steps, the encoder reads the sources of those that join next:
two graphs side by side use two cores better than one graph on both. The event loop takes no lock
and waits for nothing but futures: what it tells the worker goes through a queue without bounds and
through flags; what the worker tells it comes in one call after each step. Knows no HTTP and no
text.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from app.errors import DeadlineExceeded, Overloaded, Unavailable
from app.waiting import Line
from model.errors import EngineError
from model.search.beam import Encoded, Search
from model.search.requests import Hypothesis, SearchRequest

logger = logging.getLogger(__name__)

Hypotheses = tuple[Hypothesis, ...]
Tokens = tuple[int, ...]


@dataclass(eq=False)
class _Job:
    """A request, from the moment it is submitted until its caller has an answer or has gone.

    Attributes:
        request: what to search; its key is unique.
        answer: belongs to the caller's event loop, as does `on_tokens`.
        on_tokens: called with tokens that have become certain; None: nobody wants to know.
        tokens_told: how many of them were told. The worker's own.
        is_abandoned: nobody waits any more. Set by the event loop, read by the worker.
    """

    request: SearchRequest
    answer: asyncio.Future[Hypotheses]
    on_tokens: Callable[[Tokens], None] | None = None
    tokens_told: int = 0
    is_abandoned: bool = False

    @property
    def rows(self) -> int:
        """Rows that it may fill."""
        return self.request.options.beam_size

    def settle(self, outcome: Hypotheses | Exception) -> None:
        """Answers the caller, on its event loop."""
        if self.answer.done():  # cancelled
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class _Outbox:
    """Calls that event loops are to make: all those of one loop at once, when they are sent."""

    def __init__(self) -> None:
        self._calls: dict[asyncio.AbstractEventLoop, list[tuple[Callable[[Any], None], Any]]] = {}

    def put(self, job: _Job, call: Callable[[Any], None], value: Any) -> None:
        """Adds a call in the event loop of `job`."""
        self._calls.setdefault(job.answer.get_loop(), []).append((call, value))

    def send(self) -> None:
        """Has all calls made."""
        calls, self._calls = self._calls, {}
        for loop, own in calls.items():
            with suppress(RuntimeError):  # the loop is closed: nobody is there to be told
                loop.call_soon_threadsafe(_make, own)


def _make(calls: list[tuple[Callable[[Any], None], Any]]) -> None:
    for call, value in calls:
        call(value)


class Scheduler:
    """Searches for many callers at a time.

    Args:
        new_search: makes a search without requests. Only this scheduler's threads use it, and
            the engine below it, from now on.
        max_rows: rows decoded together. A request takes as many as its beam is wide.
        max_queue: requests that may wait for rows to become free.
    """

    def __init__(self, new_search: Callable[[], Search], *, max_rows: int, max_queue: int) -> None:
        self._new_search = new_search
        self._max_rows = max_rows
        self._max_queue = max_queue
        self._keys = itertools.count()
        self._inbox: SimpleQueue[_Job | None] = SimpleQueue()  # None wakes the worker to close
        self._waiting: set[Hashable] = set()  # keys; both sides only add and discard
        self._is_closing = False
        self._rows_in_use = 0
        self._steps = 0
        # The worker's own:
        self._line: Line[_Job] = Line()
        self._running: dict[Hashable, _Job] = {}
        self._encoding: tuple[list[_Job], Future[Encoded]] | None = None
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._outbox = _Outbox()
        self._search = self._new_search()
        self._worker = threading.Thread(target=self._work, name="scheduler", daemon=True)
        self._worker.start()

    @property
    def is_alive(self) -> bool:
        """Whether requests are being worked on."""
        return self._worker.is_alive() and not self._is_closing

    @property
    def waiting(self) -> int:
        """Requests that wait for rows."""
        return len(self._waiting)

    @property
    def rows_in_use(self) -> int:
        """Rows that requests in search may fill."""
        return self._rows_in_use

    @property
    def steps(self) -> int:
        """Steps begun so far."""
        return self._steps

    async def submit(
        self,
        request: SearchRequest,
        *,
        timeout_seconds: float,
        on_tokens: Callable[[Tokens], None] | None = None,
    ) -> Hypotheses:
        """Waits for the answer to one request, best hypothesis first. If the caller is cancelled,
        the request leaves the search at its next step. Its key is not looked at.

        Args:
            request: what to search.
            timeout_seconds: after which it is given up.
            on_tokens: called on the event loop, between steps, with further tokens that every
                possible answer begins with. The last ones come with the answer only.

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
        loop = asyncio.get_running_loop()
        job = _Job(request, loop.create_future(), on_tokens)
        self._enqueue(job)
        late = DeadlineExceeded(f"no answer within {timeout_seconds:g} seconds")
        deadline = loop.call_later(timeout_seconds, job.settle, late)
        try:
            return await job.answer
        finally:
            deadline.cancel()
            job.is_abandoned = True
            self._waiting.discard(request.key)

    def close(self) -> None:
        """Stops after the step that is running. Who still waits gets `Unavailable`."""
        self._is_closing = True
        self._inbox.put(None)
        self._worker.join()

    def _enqueue(self, job: _Job) -> None:
        if len(self._waiting) >= self._max_queue:
            raise Overloaded(f"{len(self._waiting)} requests wait already; try again later")
        self._waiting.add(job.request.key)
        self._inbox.put(job)
        if not self.is_alive:  # now, not before: whoever closes empties the inbox afterwards
            self._waiting.discard(job.request.key)
            job.answer.cancel()
            raise Unavailable("the server is not working on requests; try again later")

    def _work(self) -> None:
        """The worker's life. An error fails the requests concerned and nothing else."""
        try:
            while self._has_work():
                try:
                    self._drop_abandoned()
                    self._join_encoded()
                    self._encode_newcomers()
                    if self._running:
                        self._step()
                except Exception:
                    logger.exception("a step failed with %d requests in search", len(self._running))
                    self._fail(self._running.values(), EngineError, "the model failed")
                    self._running.clear()
                    self._search = self._new_search()
                self._count_rows()
                self._outbox.send()
        finally:
            self._is_closing = True
            self._empty_inbox()
            self._encoder.shutdown()
            left_over = [*self._running.values(), *self._newcomers(), *self._line.clear()]
            self._fail(left_over, Unavailable, "the server is stopping; try again later")
            self._outbox.send()

    def _has_work(self) -> bool:
        """Sleeps until there is some. False if there will be none any more."""
        if not (self._running or self._line or self._encoding):
            self._stand_in_line(self._inbox.get())
        self._empty_inbox()
        return not self._is_closing

    def _empty_inbox(self) -> None:
        while not self._inbox.empty():  # nobody else takes anything out
            self._stand_in_line(self._inbox.get())

    def _stand_in_line(self, job: _Job | None) -> None:
        if job is not None:
            self._line.add(job)

    def _drop_abandoned(self) -> None:
        gone = {key for key, job in self._running.items() if job.is_abandoned}
        if gone:
            self._search.remove(gone)
            self._running = {k: job for k, job in self._running.items() if k not in gone}
            self._count_rows()

    def _count_rows(self) -> None:
        taken = itertools.chain(self._running.values(), self._newcomers())
        self._rows_in_use = sum(job.rows for job in taken)

    def _newcomers(self) -> list[_Job]:
        """Those whose sources are being read."""
        return self._encoding[0] if self._encoding else []

    def _encode_newcomers(self) -> None:
        """Has the next in line read by the encoder, unless it is busy. Where nothing is in search
        they join at once."""
        if self._encoding or not (jobs := self._line.next(self._max_rows - self._rows_in_use)):
            return
        self._waiting.difference_update([job.request.key for job in jobs])
        requests = [job.request for job in jobs]
        self._encoding = jobs, self._encoder.submit(self._search.encode, requests)
        self._count_rows()
        if not self._running:
            self._join_encoded()

    def _join_encoded(self) -> None:
        """Lets those join whose sources were read. If they cannot be read, only they fail."""
        if not self._encoding or (self._running and not self._encoding[1].done()):
            return
        (jobs, encoded), self._encoding = self._encoding, None
        try:
            self._search.join(encoded.result())
        except Exception:
            logger.exception("%d requests could not join the search", len(jobs))
            self._fail(jobs, EngineError, "the model failed")
            self._outbox.send()
        else:
            self._running.update((job.request.key, job) for job in jobs)
        self._count_rows()

    def _step(self) -> None:
        self._steps += 1
        for key, hypotheses in self._search.step():
            job = self._running.pop(key)
            self._outbox.put(job, job.settle, hypotheses)
        self._tell_tokens()

    def _tell_tokens(self) -> None:
        """Tells those who listen what has become certain of their answers."""
        told = {key: job.tokens_told for key, job in self._running.items() if job.on_tokens}
        for key, tokens in self._search.agreed(told).items() if told else ():
            job = self._running[key]
            job.tokens_told += len(tokens)
            if job.on_tokens:
                self._outbox.put(job, job.on_tokens, tokens)

    def _fail(self, jobs: Iterable[_Job], kind: type[Exception], message: str) -> None:
        for job in jobs:  # one error each: a raised error remembers its raiser
            self._outbox.put(job, job.settle, kind(message))
