"""The event loop's side of a model: sends requests to its worker and awaits the answers.

One process handles HTTP, another decodes (`app.decoding.worker`); they talk over a socket. Knows no
HTTP and no text.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.decoding.admission import CostQueue, cost_of, is_costly
from app.decoding.messages import (
    Cancel,
    Flushed,
    FrameDecoder,
    Hypotheses,
    Report,
    Submit,
    Tokens,
    encode_frame,
)
from app.decoding.process import STOP_TIMEOUT_SECONDS, WorkerProcess
from app.errors import DeadlineExceeded, Overloaded, Unavailable
from model.search.requests import Request

logger = logging.getLogger(__name__)

#: Iterations of the event loop until it notices that a client disconnects: the end of its bytes is
#: read, its connection is lost, the task that watches it wakes up.
DISCONNECT_ITERATIONS = 3

#: Delays between attempts to start a worker; each one is twice as long as the last.
MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 1.0, 60.0

#: How often the worker is checked within the timeout of a step. An event loop that was blocked
#: itself makes a single check for all of that time.
CHECKS_PER_TIMEOUT = 8


class _AnswerFuture(asyncio.Future[Hypotheses]):
    """Future of an answer. If many callers disconnect at once, the event loop gets to the last one
    late, so `on_cancel` is called immediately.

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
        answer: future that the caller awaits.
        request: the request to search or to score.
        cost: cost of the request.
        on_tokens: called with new final tokens.
        has_streamed: whether `on_tokens` was called.
        was_running: whether a worker was decoding the request when it died.
    """

    answer: _AnswerFuture
    request: Request
    cost: float
    on_tokens: Callable[[Tokens], None] | None = None
    has_streamed: bool = False
    was_running: bool = False

    @property
    def is_retryable(self) -> bool:
        """Tells whether another worker may decode it from the start: no part of its answer was
        streamed, and it was not being decoded when an earlier worker died, since it may be the
        cause."""
        return not (self.has_streamed or self.was_running)

    def stream(self, tokens: Tokens) -> None:
        """Passes new final tokens to the caller, if it streams them."""
        if self.on_tokens is not None:
            self.has_streamed = True
            self.on_tokens(tokens)

    def expire(self, seconds: float) -> None:
        """Fails with `DeadlineExceeded`."""
        self.resolve(DeadlineExceeded.after(seconds))

    def resolve(self, result: Hypotheses | Exception) -> None:
        """Resolves the caller's future with an answer or an error."""
        if self.answer.done():  # cancelled
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class WorkerClient(asyncio.Protocol):
    """Submits the requests of many callers to one worker. Belongs to one event loop.

    If the worker dies, or makes no step for some time while it has requests, the client starts
    another one, and requests wait for it. Requests that the dead worker was decoding are retried
    only once, since they may have killed it, and never after a part of their answer was streamed;
    otherwise they fail with `Unavailable`. All requests do if the worker cannot be started.

    Args:
        worker: a worker that is ready.
        new_worker: starts another worker and returns once it is ready; may block.
        max_rows: rows that the worker decodes together.
        max_queue: requests that may wait for free rows; costly ones count several times.
        step_seconds: timeout of a step.

    Attributes:
        rows_in_use: number of rows reserved for the requests in search, as last reported.
        steps: number of decoder steps so far, as last reported.
        compilations: number of programs compiled while requests waited, as last reported.
        restarts: number of workers that died or hung.
        refusals: number of requests that were refused because the queue was full.
    """

    def __init__(
        self,
        worker: WorkerProcess,
        new_worker: Callable[[], WorkerProcess],
        *,
        max_rows: int,
        max_queue: int,
        step_seconds: float,
    ) -> None:
        self._worker = worker
        self._new_worker = new_worker
        self._max_rows = max_rows
        self._plain, self._costly = CostQueue(max_queue), CostQueue(max_queue)
        self.restarts = 0
        self.refusals = 0
        self._step_seconds = step_seconds
        self._keys = itertools.count()
        self._jobs: dict[Hashable, _Job] = {}
        self.rows_in_use = 0
        self.steps = 0
        self.compilations = 0
        self._transport: asyncio.Transport | None = None
        self._frames = FrameDecoder()  # of this transport
        self._accepts_requests = False
        self._is_closing = False
        self._failure = "has died"
        self._missed_checks = 0
        self._next_check: asyncio.TimerHandle | None = None
        self._restarting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects to the worker."""
        self._frames = FrameDecoder()
        transport, _ = await asyncio.get_running_loop().create_unix_connection(
            lambda: self, sock=self._worker.socket
        )
        self._transport, self._accepts_requests, self._missed_checks = transport, True, 0
        for key, job in self._jobs.items():
            self._send(key, job)
        self._check_worker()

    @property
    def is_alive(self) -> bool:
        """Tells whether a worker is connected."""
        return self._transport is not None

    @property
    def open_requests(self) -> int:
        """Returns the number of submitted requests without an answer."""
        return len(self._jobs)

    @property
    def memory_bytes(self) -> int:
        """Returns the memory of the worker."""
        return self._worker.memory_bytes

    @property
    def waiting(self) -> int:
        """Returns the number of requests that wait for rows."""
        return len(self._plain) + len(self._costly)

    def capacity(self, request: Request) -> int:
        """Returns how many requests like this one fill the queue, at least one."""
        return self._queue_of(request).capacity(cost_of(request))

    async def submit(
        self,
        request: Request,
        *,
        timeout_seconds: float,
        on_tokens: Callable[[Tokens], None] | None = None,
    ) -> Hypotheses:
        """Returns the answer to a request, best hypothesis first. If the caller is cancelled, the
        request leaves the search at the next step.

        Args:
            request: the request to search or to score; its key is ignored.
            timeout_seconds: time until the request fails.
            on_tokens: called between steps with new final tokens, with which every possible answer
                continues. The last ones come with the answer only.

        Raises:
            Overloaded: if the queue is full.
            DeadlineExceeded: if there is no answer after `timeout_seconds`.
            EngineError: if the engine failed while this request was in search.
            Unavailable: if this client is closed, or its worker has died and the request cannot be
                retried.
            ValueError: if it needs more than `max_rows`.
        """
        if request.rows > self._max_rows:
            raise ValueError(
                f"a request must not need more than max_rows={self._max_rows}. "
                f"Received: {request.rows} rows"
            )
        loop = asyncio.get_running_loop()
        job = _Job(_AnswerFuture(loop=loop), request, cost_of(request), on_tokens)
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
        self._fail_all("the server is stopping")  # requests that wait for another worker
        if self._restarting is not None:
            self._restarting.cancel()
        await asyncio.to_thread(self._worker.stop)

    def kill(self) -> None:
        """Kills the worker."""
        self._worker.kill()

    def expect_close(self) -> None:
        """Limits steps to `STOP_TIMEOUT_SECONDS` from now on and starts no other worker, so that a
        hanging worker cannot keep the server from stopping."""
        self._is_closing = True
        self._step_seconds = min(self._step_seconds, STOP_TIMEOUT_SECONDS)
        if self._transport is not None and self._next_check is not None:
            self._next_check.cancel()
            self._check_worker()

    def _add(self, job: _Job) -> int:
        """Accepts a request if there is or will be a worker and room in the queue."""
        if not self._accepts_requests:
            raise Unavailable("the server is not working on requests; try again later")
        queue = self._queue_of(job.request)
        if queue.is_full:
            self.refusals += 1
            message = f"{len(queue)} requests are already waiting; try again later"
            raise Overloaded(message, retry_after_seconds=queue.estimate_seconds())
        key = next(self._keys)
        self._jobs[key] = job
        queue.add(key, job.cost, asyncio.get_running_loop().time())
        self._send(key, job)
        return key

    def _queue_of(self, request: Request) -> CostQueue:
        return self._costly if is_costly(request) else self._plain

    def _send(self, key: Hashable, job: _Job) -> None:
        self._write(Submit(key, job.request, job.on_tokens is not None))

    def _write(self, message: Submit | Cancel | Flushed) -> None:
        """Sends a message to the worker, if there is one."""
        if self._transport is not None:
            self._transport.write(encode_frame(message))

    def _cancel(self, key: Hashable) -> None:
        """Cancels a request, here and at the worker, if it is open."""
        self._dequeue(key)
        if self._jobs.pop(key, None):
            self._write(Cancel(key))

    def _dequeue(self, key: Hashable) -> None:
        self._plain.discard(key)
        self._costly.discard(key)

    def _check_worker(self) -> None:
        """Kills a worker that has been silent for too long; `_on_disconnect` follows."""
        self._missed_checks = self._missed_checks + 1 if self._jobs else 0
        if self._missed_checks > CHECKS_PER_TIMEOUT:
            self._failure = f"made no step for {self._step_seconds:g} seconds"
            self._worker.kill()
            return
        delay = self._step_seconds / CHECKS_PER_TIMEOUT
        self._next_check = asyncio.get_running_loop().call_later(delay, self._check_worker)

    def data_received(self, data: bytes) -> None:
        """Handles messages of the worker, for `asyncio`."""
        for message in self._frames.add(data):
            self._missed_checks = 0
            if isinstance(message, Report):
                self._on_report(message)
            else:  # `Flush`
                self._flush(DISCONNECT_ITERATIONS)

    def connection_lost(self, error: Exception | None) -> None:
        """Handles the end of the worker, for `asyncio`."""
        self._on_disconnect()

    def _flush(self, iterations: int) -> None:
        """Sends `Flushed` after this many iterations of the event loop. Meanwhile, `_cancel` is
        called for every client that has disconnected."""
        if iterations:
            asyncio.get_running_loop().call_soon(self._flush, iterations - 1)
        else:
            self._write(Flushed())

    def _on_report(self, report: Report) -> None:
        self.steps, self.rows_in_use = report.steps, report.rows_in_use
        self.compilations = report.compilations
        now = asyncio.get_running_loop().time()
        for key in report.admitted:
            self._plain.admit(key, now)
            self._costly.admit(key, now)
        for key, tokens in report.tokens:
            if job := self._jobs.get(key):
                job.stream(tokens)
        for key, result in report.results:
            if job := self._jobs.pop(key, None):
                job.resolve(result)

    def _on_disconnect(self) -> None:
        """Restarts the worker and retries the open requests that allow it. Fails the others, or all
        of them if this client is closing."""
        if self._transport is None:
            return
        self._transport, self.rows_in_use = None, 0
        if self._next_check is not None:
            self._next_check.cancel()
        failure, self._failure = self._failure, "has died"
        if self._is_closing:
            self._fail_all("the server is stopping")
            return
        self.restarts += 1
        logger.error(
            "the model's process %s with %d requests; restarting", failure, len(self._jobs)
        )
        loop = asyncio.get_running_loop()
        for key, job in list(self._jobs.items()):
            queue = self._queue_of(job.request)
            if key in queue:  # the worker has not admitted it
                continue
            if job.is_retryable:
                job.was_running = True
                queue.add(key, job.cost, loop.time())
            else:
                self._fail(key, f"the model's process {failure}")
        self._restarting = loop.create_task(self._restart())

    def _fail_all(self, reason: str) -> None:
        """Fails all open requests, and accepts no further ones."""
        self._accepts_requests = False
        for key in list(self._jobs):
            self._fail(key, reason)

    def _fail(self, key: Hashable, reason: str) -> None:
        self._dequeue(key)
        # A new error for each: a raised error keeps its traceback.
        self._jobs.pop(key).resolve(Unavailable(f"{reason}; try again later"))

    async def _restart(self) -> None:
        """Starts another worker and retries until one is ready. Requests wait for the first attempt
        only."""
        delay = MIN_BACKOFF_SECONDS
        while not self.is_alive:
            try:
                await asyncio.to_thread(self._worker.stop)
                self._worker = await asyncio.to_thread(self._new_worker)
                await self.open()
            except Exception as error:  # any error may be temporary
                self._fail_all("the model's process cannot be started again")
                logger.error("the model's process cannot be started again: %r", error)
                logger.error("next attempt in %g seconds", delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, MAX_BACKOFF_SECONDS)
