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

from app.decoding.admission import Queue, cost_of, is_costly
from app.decoding.messages import (
    Asked,
    Frames,
    Hypotheses,
    Left,
    NobodyElse,
    Report,
    Tokens,
    WhoElse,
    to_frame,
)
from app.decoding.process import PATIENCE_SECONDS, Worker
from app.errors import DeadlineExceeded, Overloaded, Unavailable
from model.search.requests import SearchRequest

logger = logging.getLogger(__name__)

#: Turns of the event loop until a client that hangs up is noticed: the end of its bytes is read,
#: its connection is lost, who watches it wakes.
HANG_UP_TURNS = 3

#: Before a worker that could not be started is tried again; each pause is twice the one before.
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0

#: How often the worker is looked at within the time that it has for a step. An event loop that
#: stood still itself looks once for all of that time.
LOOKS = 8


class _Answer(asyncio.Future[Hypotheses]):
    """What a caller waits for. That it is cancelled is told at once, not when its turn comes: where
    many hang up together, the last one's turn comes late.

    Attributes:
        on_cancel: is told.
    """

    on_cancel: Callable[[], None]

    def cancel(self, msg: Any | None = None) -> bool:
        self.on_cancel()
        return super().cancel(msg)


@dataclass(eq=False)
class _Job:
    """A request, from the moment it is submitted until its caller has an answer or has gone.

    Attributes:
        answer: what the caller waits for.
        on_tokens: called with tokens that have become certain; None: nobody wants to know.
    """

    answer: _Answer
    on_tokens: Callable[[Tokens], None] | None = None

    def expire(self, seconds: float) -> None:
        """Tells the caller that there is no answer after so many."""
        self.settle(DeadlineExceeded.after(seconds))

    def settle(self, outcome: Hypotheses | Exception) -> None:
        """Answers the caller."""
        if self.answer.done():  # cancelled
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class Scheduler:
    """Has a worker search for many callers at a time. Belongs to one event loop.

    If its worker dies, or makes no step for a time though requests wait for it, those get
    `Unavailable`, and another one is started.

    Args:
        worker: is ready.
        new_worker: starts another and returns when it is ready; may block.
        max_rows: rows that the worker decodes together.
        max_queue: requests that may wait for rows to become free; costly ones count several times.
        step_seconds: that the worker has for a step.
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
        self._plain, self._costly = Queue(max_queue), Queue(max_queue)
        self._step_seconds = step_seconds
        self._keys = itertools.count()
        self._jobs: dict[Hashable, _Job] = {}
        self._rows_in_use = 0
        self._steps = 0
        self._transport: asyncio.Transport | None = None
        self._is_closing = False
        self._end = "has died"
        self._silent_looks = 0
        self._next_look: asyncio.TimerHandle | None = None
        self._revival: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begins to listen to the worker."""
        transport, _ = await asyncio.get_running_loop().create_unix_connection(
            lambda: _Ear(self._hear, self._lose), sock=self._worker.end
        )
        self._transport = transport
        self._look_after_worker()

    @property
    def is_alive(self) -> bool:
        """Whether requests are being worked on."""
        return self._transport is not None

    @property
    def waiting(self) -> int:
        """Requests that wait for rows."""
        return len(self._plain) + len(self._costly)

    @property
    def rows_in_use(self) -> int:
        """Rows that requests in search may fill."""
        return self._rows_in_use

    @property
    def steps(self) -> int:
        """Steps that the worker has taken, as it told last."""
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
            on_tokens: called between steps with further tokens that every possible answer begins
                with. The last ones come with the answer only.

        Raises:
            Overloaded: if the queue is full.
            DeadlineExceeded: if there is no answer after `timeout_seconds`.
            EngineError: if the engine failed while this request was in search.
            Unavailable: if the scheduler is closed, or its worker has died.
            ValueError: if its beam is wider than `max_rows`.
        """
        if request.options.beam_size > self._max_rows:
            raise ValueError(
                f"beam_size must not exceed max_rows={self._max_rows}. "
                f"Received: beam_size={request.options.beam_size}"
            )
        loop = asyncio.get_running_loop()
        job = _Job(_Answer(loop=loop), on_tokens)
        key = self._send(request, job)
        job.answer.on_cancel = partial(self._forget, key)
        deadline = loop.call_later(timeout_seconds, job.expire, timeout_seconds)
        try:
            return await job.answer
        finally:
            deadline.cancel()
            self._forget(key)

    async def close(self) -> None:
        """Stops the worker after the step that is running. Who still waits gets `Unavailable`."""
        self._is_closing = True
        if self._transport is not None:
            self._transport.abort()
        self._lose()
        if self._revival is not None:
            self._revival.cancel()
        await asyncio.to_thread(self._worker.stop)

    def kill(self) -> None:
        """Ends the worker at once."""
        self._worker.kill()

    def expect_close(self) -> None:
        """Gives the worker no more than `PATIENCE_SECONDS` for a step from now on, and starts no
        other: one that hangs must not keep the server from stopping."""
        self._is_closing = True
        self._step_seconds = min(self._step_seconds, PATIENCE_SECONDS)
        if self._next_look is not None:
            self._next_look.cancel()
            self._look_after_worker()

    def _send(self, request: SearchRequest, job: _Job) -> int:
        if self._transport is None:
            raise Unavailable("the server is not working on requests; try again later")
        queue = self._costly if is_costly(request) else self._plain
        if queue.is_full:
            raise Overloaded(f"{self.waiting} requests wait already; try again later")
        key = next(self._keys)
        self._transport.write(to_frame(Asked(key, request, job.on_tokens is not None)))
        self._jobs[key] = job
        queue.add(key, cost_of(request))
        return key

    def _forget(self, key: Hashable) -> None:
        """Nobody waits for `key` any more."""
        self._wait_no_more(key)
        if self._jobs.pop(key, None) and self._transport is not None:
            self._transport.write(to_frame(Left(key)))

    def _wait_no_more(self, key: Hashable) -> None:
        self._plain.discard(key)
        self._costly.discard(key)

    def _look_after_worker(self) -> None:
        """Ends a worker that was silent for too long; its end is noticed as any other."""
        self._silent_looks = self._silent_looks + 1 if self._jobs else 0
        if self._silent_looks > LOOKS:
            self._end = f"made no step for {self._step_seconds:g} seconds"
            self._worker.kill()
            return
        pause = self._step_seconds / LOOKS
        self._next_look = asyncio.get_running_loop().call_later(pause, self._look_after_worker)

    def _hear(self, told: Report | WhoElse) -> None:
        self._silent_looks = 0
        if isinstance(told, Report):
            self._note(told)
        else:
            self._tell_who_else(HANG_UP_TURNS)

    def _tell_who_else(self, turns: int) -> None:
        """Lets `turns` of the event loop pass, and says that there is nobody else. Who hung up
        before has `_forget` called meanwhile."""
        if turns:
            asyncio.get_running_loop().call_soon(self._tell_who_else, turns - 1)
        elif self._transport is not None:
            self._transport.write(to_frame(NobodyElse()))

    def _note(self, report: Report) -> None:
        self._steps, self._rows_in_use = report.steps, report.rows_in_use
        for key in report.taken:
            self._wait_no_more(key)
        for key, tokens in report.tokens:
            job = self._jobs.get(key)
            if job is not None and job.on_tokens is not None:
                job.on_tokens(tokens)
        for key, outcome in report.outcomes:
            if job := self._jobs.pop(key, None):
                job.settle(outcome)

    def _lose(self) -> None:
        """The worker is gone. Those who wait for it are told so."""
        if self._transport is None:
            return
        self._transport, self._rows_in_use = None, 0
        if self._next_look is not None:
            self._next_look.cancel()
        jobs, self._jobs = self._jobs, {}
        for key in jobs:
            self._wait_no_more(key)
        end, self._end = self._end, "has died"
        reason = "the server is stopping" if self._is_closing else f"the model's process {end}"
        for job in jobs.values():  # one error each: a raised error remembers its raiser
            job.settle(Unavailable(f"{reason}; try again later"))
        if not self._is_closing:
            logger.error("the model's process %s with %d requests; restarting", end, len(jobs))
            self._revival = asyncio.get_running_loop().create_task(self._revive())

    async def _revive(self) -> None:
        """Starts a worker anew, again and again until one is ready."""
        pause = SHORTEST_PAUSE_SECONDS
        while not self.is_alive:
            try:
                await asyncio.to_thread(self._worker.stop)
                self._worker = await asyncio.to_thread(self._new_worker)
                await self.open()
            except Exception as error:  # whatever it is, it may be over soon
                logger.error("the model's process cannot be started again: %r", error)
                logger.error("next try in %g seconds", pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


class _Ear(asyncio.Protocol):
    """What comes from the worker."""

    def __init__(self, hear: Callable[[Report | WhoElse], None], lose: Callable[[], None]) -> None:
        self._hear = hear
        self._lose = lose
        self._frames = Frames()

    def data_received(self, data: bytes) -> None:
        for told in self._frames.add(data):
            self._hear(told)

    def connection_lost(self, error: Exception | None) -> None:
        self._lose()
