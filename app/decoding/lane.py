"""Requests that are decoded together: they wait, are encoded, join the search, step and leave.

Knows no server: what is to be reported there is collected in `News`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from app.decoding.admission import RequestQueue
from app.decoding.messages import Hypotheses, Tokens
from model.errors import EngineError
from model.search.beam import Encoded, Search
from model.search.requests import Request

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """A request until it is answered or cancelled.

    Attributes:
        key: its number.
        request: what to search.
        wants_tokens: whether tokens are reported as soon as they are certain.
        tokens_reported: number of tokens reported so far.
        is_abandoned: whether it was cancelled.
    """

    key: Hashable
    request: Request
    wants_tokens: bool
    tokens_reported: int = 0
    is_abandoned: bool = False

    @property
    def rows(self) -> int:
        """Returns the number of rows that it may fill."""
        return self.request.rows


@dataclass
class News:
    """What is not reported yet; see `app.decoding.messages.Report`."""

    taken: list[Hashable] = field(default_factory=list)
    tokens: list[tuple[Hashable, Tokens]] = field(default_factory=list)
    outcomes: list[tuple[Hashable, Hypotheses | Exception]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.taken or self.tokens or self.outcomes)

    def clear(self) -> None:
        """Forgets everything, once it is reported."""
        self.taken, self.tokens, self.outcomes = [], [], []


class Lane:
    """Decodes requests together, in a search of its own.

    Args:
        new_search: makes a search without requests.
        encoder: encodes sources beside the steps.
        news: is added to.
        report: sends the news, where they should not wait for the end of a step.
        max_rows: rows decoded together; see `SearchRequest.rows`.
        weight: factor of this lane's seconds; of two lanes, the one with the smaller weight gets
            more time.

    Attributes:
        clock: seconds of its steps so far, times `weight`.
        steps: taken so far.
        rows_in_use: rows that its requests may fill.
        running: requests in search.
    """

    def __init__(
        self,
        new_search: Callable[[], Search],
        encoder: Executor,
        news: News,
        report: Callable[[], None],
        *,
        max_rows: int,
        weight: float,
    ) -> None:
        self.clock = 0.0
        self.steps = 0
        self.rows_in_use = 0
        self.running: dict[Hashable, Job] = {}
        self._new_search = new_search
        self._encoder = encoder
        self._news = news
        self._report = report
        self._max_rows = max_rows
        self._weight = weight
        self._queue: RequestQueue[Job] = RequestQueue()
        self._encoding: tuple[list[Job], Future[Encoded]] | None = None
        self._search = new_search()
        self._some_abandoned = False  # of those that have rows

    @property
    def is_idle(self) -> bool:
        """Tells whether there is nothing to do."""
        return not (self.running or self._queue or self._encoding)

    def add(self, job: Job) -> None:
        """Appends a request to the queue."""
        self._queue.add(job)

    def abandon(self, job: Job) -> None:
        """Marks a request as cancelled."""
        job.is_abandoned = self._some_abandoned = True

    def admit(self) -> None:
        """Drops cancelled requests and admits new ones, between two steps."""
        self._join_encoded()
        self._drop_abandoned()
        self._encode_next()

    def step(self) -> None:
        """Extends all hypotheses in search by a token. An error fails their requests, no others."""
        started = time.perf_counter()
        self.steps += 1
        try:
            for key, hypotheses in self._search.step():
                self._free([self.running[key]])
                self._news.outcomes.append((key, hypotheses))
            self._add_tokens()
        except Exception:
            logger.exception("a step failed with %d requests in search", len(self.running))
            self._fail(self.running.values())
            self._search = self._new_search()
        self.clock += (time.perf_counter() - started) * self._weight

    def _drop_abandoned(self) -> None:
        if not self._some_abandoned:
            return
        abandoned = [job for job in self.running.values() if job.is_abandoned]
        self._search.remove({job.key for job in abandoned})
        self._free(abandoned)
        self._some_abandoned = any(job.is_abandoned for job in self._being_encoded())
        self._report()

    def _free(self, jobs: Iterable[Job]) -> None:
        """Frees the rows of `jobs`."""
        for job in jobs:
            self.running.pop(job.key, None)
            self.rows_in_use -= job.rows

    def _being_encoded(self) -> list[Job]:
        return self._encoding[0] if self._encoding else []

    def _encode_next(self) -> None:
        """Submits the next requests to the encoder, unless it is busy. If nothing is in search they
        join at once."""
        if self._encoding or not (jobs := self._queue.admit(self._max_rows - self.rows_in_use)):
            return
        self.rows_in_use += sum(job.rows for job in jobs)
        self._news.taken += [job.key for job in jobs]
        self._report()  # first: should this process die of a request, the server knows which it had
        requests = [job.request for job in jobs]
        self._encoding = jobs, self._encoder.submit(self._search.encode, requests)
        if not self.running:
            self._join_encoded()

    def _join_encoded(self) -> None:
        """Adds the encoded requests to the search. If encoding failed, only they fail."""
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
        """Adds to the news the tokens that have become certain, of requests that want them."""
        reported = {
            key: job.tokens_reported for key, job in self.running.items() if job.wants_tokens
        }
        for key, tokens in self._search.agreed(reported).items() if reported else ():
            self.running[key].tokens_reported += len(tokens)
            self._news.tokens.append((key, tokens))

    def _fail(self, jobs: Iterable[Job]) -> None:
        jobs = list(jobs)
        self._free(jobs)
        self._news.outcomes += [(job.key, EngineError("the model failed")) for job in jobs]
