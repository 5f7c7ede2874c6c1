"""The event loop's side of a model: sends requests to its worker and waits for the answers.

One process reads and answers HTTP, another decodes (`app.decoding.worker`). Between them is a
socket. Knows no HTTP and no text.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.decoding.admission import CostQueue, Throughput, cost_of, is_costly
from app.decoding.messages import (
    Cancel,
    Flush,
    Flushed,
    Frames,
    Hypotheses,
    Report,
    Submit,
    Tokens,
    to_frame,
)
from app.decoding.process import PATIENCE_SECONDS, Worker
from app.errors import DeadlineExceeded, Overloaded, Unavailable
from model.search.requests import Request

logger = logging.getLogger(__name__)

#: Turns of the event loop until it notices that a client hangs up: the end of its bytes is read,
#: its connection is lost, the task that watches it wakes.
HANG_UP_TURNS = 3

#: Pauses before another try to start a worker; each one is twice the one before.
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0

#: How often the worker is checked within the time that it has for a step. An event loop that was
#: blocked itself checks once for all of that time.
CHECKS = 8


class _Answer(asyncio.Future[Hypotheses]):
    """What a caller waits for. Where many callers hang up together, the event loop gets to the last
    one late, so `on_cancel` is called at once.

    Attributes:
        on_cancel: called when this is cancelled.
    """

    on_cancel: Callable[[], None]

    def cancel(self, msg: Any | None = None) -> bool:
        self.on_cancel()
        return super().cancel(msg)


@dataclass(eq=False)
class _Job:
    """A request, from the moment it is submitted until it is answered or cancelled.

    Attributes:
        answer: what the caller waits for.
        request: what to search or to score.
        cost: of the request.
        on_tokens: called with tokens that have become certain.
        has_tokens: whether it was called.
        was_begun: whether a worker had begun the request when it died.
    """

    answer: _Answer
    request: Request
    cost: float
    on_tokens: Callable[[Tokens], None] | None = None
    has_tokens: bool = False
    was_begun: bool = False

    @property
    def can_be_repeated(self) -> bool:
        """Tells whether another worker may decode it from the start: nothing of its answer was
        passed on, and no two workers died while they decoded it, in case it killed them."""
        return not (self.has_tokens or self.was_begun)

    def tell(self, tokens: Tokens) -> None:
        """Passes on tokens that have become certain, if the caller wants them."""
        if self.on_tokens is not None:
            self.has_tokens = True
            self.on_tokens(tokens)

    def expire(self, seconds: float) -> None:
        """Fails with `DeadlineExceeded`."""
        self.settle(DeadlineExceeded.after(seconds))

    def settle(self, outcome: Hypotheses | Exception) -> None:
        """Answers the caller, or raises an error there."""
        if self.answer.done():  # cancelled
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class WorkerClient:
    """Submits the requests of many callers to one worker. Belongs to one event loop.

    If the worker dies, or has requests and makes no step for some time, the client starts another
    one, and requests wait for it. Those that the dead one had begun are repeated, but once only, in
    case it was they that killed it, and not if a part of their answer was passed on; these fail
    with `Unavailable`, and so do all requests if the worker cannot be started.

    Args:
        worker: is ready.
        new_worker: starts another and returns when it is ready; may block.
        max_rows: rows that the worker decodes together.
        max_queue: requests that may wait for free rows; costly ones count several times.
        step_seconds: time that the worker has for a step.

    Attributes:
        rows_in_use: rows that requests in search may fill, by the worker's last report.
        steps: that the worker has taken, by the same report.
        compilations: programs that it has compiled while requests waited, by the same report.
        restarts: workers that died or hung.
        refusals: requests that were refused because the queue was full.
    """

    def __init__(
        self,
        worker: Worker,
        new_worker: Callable[[], Worker],
        *,
        max_rows: int,
        max_queue: int,
        step_seconds: float,
    ) -> None:
        self._worker = worker
        self._new_worker = new_worker
        self._max_rows = max_rows
        self._plain, self._costly = CostQueue(max_queue), CostQueue(max_queue)
        self._throughput = {self._plain: Throughput(), self._costly: Throughput()}
        self.restarts = 0
        self.refusals = 0
        self._step_seconds = step_seconds
        self._keys = itertools.count()
        self._jobs: dict[Hashable, _Job] = {}
        self.rows_in_use = 0
        self.steps = 0
        self.compilations = 0
        self._transport: asyncio.Transport | None = None
        self._takes_requests = False
        self._is_closing = False
        self._failure = "has died"
        self._silent_checks = 0
        self._next_check: asyncio.TimerHandle | None = None
        self._restarting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects to the worker."""
        transport, _ = await asyncio.get_running_loop().create_unix_connection(
            lambda: _Connection(self._on_message, self._on_disconnect), sock=self._worker.end
        )
        self._transport, self._takes_requests, self._silent_checks = transport, True, 0
        for key, job in self._jobs.items():
            self._send(key, job)
        self._check_worker()

    @property
    def is_alive(self) -> bool:
        """Tells whether there is a worker."""
        return self._transport is not None

    @property
    def open_requests(self) -> int:
        """Returns the number of requests that were submitted and are not answered yet."""
        return len(self._jobs)

    @property
    def memory_bytes(self) -> int:
        """Returns the memory of the worker."""
        return self._worker.memory_bytes

    @property
    def waiting(self) -> int:
        """Returns the number of requests that wait for rows."""
        return len(self._plain) + len(self._costly)

    async def submit(
        self,
        request: Request,
        *,
        timeout_seconds: float,
        on_tokens: Callable[[Tokens], None] | None = None,
    ) -> Hypotheses:
        """Returns the answer to a request, best hypothesis first. If the caller is cancelled, the
        request leaves the search at its next step.

        Args:
            request: what to search or to score; its key is ignored.
            timeout_seconds: time until the request fails.
            on_tokens: called between steps with further tokens that every possible answer begins
                with. The last ones come with the answer only.

        Raises:
            Overloaded: if the queue is full.
            DeadlineExceeded: if there is no answer after `timeout_seconds`.
            EngineError: if the engine failed while this request was in search.
            Unavailable: if this client is closed, or its worker has died and this request cannot
                be repeated.
            ValueError: if it needs more than `max_rows`.
        """
        if request.rows > self._max_rows:
            raise ValueError(
                f"a request must not need more than max_rows={self._max_rows}. "
                f"Received: {request.rows} rows"
            )
        loop = asyncio.get_running_loop()
        job = _Job(_Answer(loop=loop), request, cost_of(request), on_tokens)
        key = self._add(job)
        job.answer.on_cancel = partial(self._cancel, key)
        deadline = loop.call_later(timeout_seconds, job.expire, timeout_seconds)
        try:
            return await job.answer
        finally:
            deadline.cancel()
            self._cancel(key)

    async def close(self) -> None:
        """Stops the worker after its current step. Open requests fail with `Unavailable`."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()
        self._on_disconnect()
        self._refuse_all("the server is stopping")  # those that wait for another worker
        if self._restarting is not None:
            self._restarting.cancel()
        await asyncio.to_thread(self._worker.stop)

    def kill(self) -> None:
        """Kills the worker."""
        self._worker.kill()

    def expect_close(self) -> None:
        """Limits steps to `PATIENCE_SECONDS` from now on, and starts no other worker: one that
        hangs must not keep the server from stopping."""
        self._is_closing = True
        self._step_seconds = min(self._step_seconds, PATIENCE_SECONDS)
        if self._transport is not None and self._next_check is not None:
            self._next_check.cancel()
            self._check_worker()

    def _add(self, job: _Job) -> int:
        """Takes a request on, if there is or will be a worker and room in the queue."""
        if not self._takes_requests:
            raise Unavailable("the server is not working on requests; try again later")
        queue = self._queue_of(job)
        throughput, now = self._throughput[queue], asyncio.get_running_loop().time()
        if queue.is_full:
            self.refusals += 1
            waiting = len(queue)
            message = f"{waiting} requests wait already; try again later"
            raise Overloaded(message, retry_after_seconds=throughput.seconds_for(waiting))
        if not queue:
            throughput.start(now)
        key = next(self._keys)
        self._jobs[key] = job
        queue.add(key, job.cost)
        self._send(key, job)
        return key

    def _queue_of(self, job: _Job) -> CostQueue:
        return self._costly if is_costly(job.request) else self._plain

    def _send(self, key: Hashable, job: _Job) -> None:
        self._write(Submit(key, job.request, job.on_tokens is not None))

    def _write(self, message: Submit | Cancel | Flushed) -> None:
        """Sends a message to the worker, if there is one."""
        if self._transport is not None:
            self._transport.write(to_frame(message))

    def _cancel(self, key: Hashable) -> None:
        """Gives a request up, here and at the worker, if it is open."""
        self._dequeue(key)
        if self._jobs.pop(key, None):
            self._write(Cancel(key))

    def _dequeue(self, key: Hashable) -> None:
        self._plain.discard(key)
        self._costly.discard(key)

    def _check_worker(self) -> None:
        """Kills a worker that was silent for too long; `_on_disconnect` follows."""
        self._silent_checks = self._silent_checks + 1 if self._jobs else 0
        if self._silent_checks > CHECKS:
            self._failure = f"made no step for {self._step_seconds:g} seconds"
            self._worker.kill()
            return
        pause = self._step_seconds / CHECKS
        self._next_check = asyncio.get_running_loop().call_later(pause, self._check_worker)

    def _on_message(self, message: Report | Flush) -> None:
        self._silent_checks = 0
        if isinstance(message, Report):
            self._on_report(message)
        else:
            self._flush(HANG_UP_TURNS)

    def _flush(self, turns: int) -> None:
        """Sends `Flushed` after so many turns of the event loop. Meanwhile `_cancel` is called for
        every client that has hung up."""
        if turns:
            asyncio.get_running_loop().call_soon(self._flush, turns - 1)
        else:
            self._write(Flushed())

    def _on_report(self, report: Report) -> None:
        self.steps, self.rows_in_use = report.steps, report.rows_in_use
        self.compilations = report.compilations
        now = asyncio.get_running_loop().time()
        for key in report.taken:
            for queue, throughput in self._throughput.items():
                if queue.discard(key):
                    throughput.add(now)
        for key, tokens in report.tokens:
            if job := self._jobs.get(key):
                job.tell(tokens)
        for key, outcome in report.outcomes:
            if job := self._jobs.pop(key, None):
                job.settle(outcome)

    def _on_disconnect(self) -> None:
        """Restarts the worker, which then gets the open requests that may be repeated. Fails the
        others, or all if this client is closing."""
        if self._transport is None:
            return
        self._transport, self.rows_in_use = None, 0
        if self._next_check is not None:
            self._next_check.cancel()
        failure, self._failure = self._failure, "has died"
        if self._is_closing:
            self._refuse_all("the server is stopping")
            return
        self.restarts += 1
        logger.error(
            "the model's process %s with %d requests; restarting", failure, len(self._jobs)
        )
        for key, job in list(self._jobs.items()):
            queue = self._queue_of(job)
            if key in queue:  # the worker has not begun it
                continue
            if job.can_be_repeated:
                job.was_begun = True
                queue.add(key, job.cost)
            else:
                self._refuse(key, f"the model's process {failure}")
        self._restarting = asyncio.get_running_loop().create_task(self._restart())

    def _refuse_all(self, reason: str) -> None:
        """Fails all open requests, and further ones."""
        self._takes_requests = False
        for key in list(self._jobs):
            self._refuse(key, reason)

    def _refuse(self, key: Hashable, reason: str) -> None:
        self._dequeue(key)
        # One error for each: a raised error remembers its raiser.
        self._jobs.pop(key).settle(Unavailable(f"{reason}; try again later"))

    async def _restart(self) -> None:
        """Starts another worker; tries again until one is ready. Requests wait for the first try
        only."""
        pause = SHORTEST_PAUSE_SECONDS
        while not self.is_alive:
            try:
                await asyncio.to_thread(self._worker.stop)
                self._worker = await asyncio.to_thread(self._new_worker)
                await self.open()
            except Exception as error:  # any error may be temporary
                self._refuse_all("the model's process cannot be started again")
                logger.error("the model's process cannot be started again: %r", error)
                logger.error("next try in %g seconds", pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


class _Connection(asyncio.Protocol):
    """The connection to a worker.

    Args:
        on_message: called with each message.
        on_disconnect: called when the connection is lost.
    """

    def __init__(
        self, on_message: Callable[[Report | Flush], None], on_disconnect: Callable[[], None]
    ) -> None:
        self._on_message = on_message
        self._on_disconnect = on_disconnect
        self._frames = Frames()

    def data_received(self, data: bytes) -> None:
        for message in self._frames.add(data):
            self._on_message(message)

    def connection_lost(self, error: Exception | None) -> None:
        self._on_disconnect()
