"""Requests that are decoded together: they wait, their sources are read, they join, step, leave.

Knows no server: what is to be told there is written down in `News`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from app.decoding.messages import Hypotheses, Tokens
from app.decoding.waiting import Line
from model.errors import EngineError
from model.search.beam import Encoded, Search
from model.search.requests import SearchRequest

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """A request until it has an answer, or nobody waits for one.

    Attributes:
        key: its number.
        request: what to search.
        wants_tokens: whether tokens are told as soon as they are certain.
        tokens_told: how many of them were.
        is_abandoned: nobody waits any more.
    """

    key: Hashable
    request: SearchRequest
    wants_tokens: bool
    tokens_told: int = 0
    is_abandoned: bool = False

    @property
    def rows(self) -> int:
        """Rows that it may fill."""
        return self.request.options.beam_size


@dataclass
class News:
    """What has happened and was not reported yet; see `app.decoding.messages.Report`."""

    taken: list[Hashable] = field(default_factory=list)
    tokens: list[tuple[Hashable, Tokens]] = field(default_factory=list)
    outcomes: list[tuple[Hashable, Hypotheses | Exception]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.taken or self.tokens or self.outcomes)

    def clear(self) -> None:
        """It was reported."""
        self.taken, self.tokens, self.outcomes = [], [], []


class Lane:
    """Decodes requests together, in a search of their own.

    Args:
        new_search: makes a search without requests.
        encoder: reads sources beside the steps.
        news: is added to.
        report: sends the news, where they should not wait for the end of a step.
        max_rows: rows decoded together. A request takes as many as its beam is wide.
        weight: what a second of this lane counts; of two lanes, the one whose seconds count less
            gets more of them.

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
        self._line: Line[Job] = Line()
        self._encoding: tuple[list[Job], Future[Encoded]] | None = None
        self._search = new_search()
        self._some_left = False  # of those that have rows

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.running or self._line or self._encoding)

    def add(self, job: Job) -> None:
        """Lets a request wait for rows."""
        self._line.add(job)

    def abandon(self, job: Job) -> None:
        """Nobody waits for `job` any more."""
        job.is_abandoned = self._some_left = True

    def admit(self) -> None:
        """Lets requests leave and join, as they can between two steps."""
        self._join_encoded()
        self._drop_abandoned()
        self._encode_newcomers()

    def step(self) -> None:
        """Moves all in search by a token. An error fails them and nothing else."""
        started = time.perf_counter()
        self.steps += 1
        try:
            for key, hypotheses in self._search.step():
                self._free([self.running[key]])
                self._news.outcomes.append((key, hypotheses))
            self._tell_tokens()
        except Exception:
            logger.exception("a step failed with %d requests in search", len(self.running))
            self._fail(self.running.values())
            self._search = self._new_search()
        self.clock += (time.perf_counter() - started) * self._weight

    def _drop_abandoned(self) -> None:
        if not self._some_left:
            return
        gone = [job for job in self.running.values() if job.is_abandoned]
        self._search.remove({job.key for job in gone})
        self._free(gone)
        self._some_left = any(job.is_abandoned for job in self._newcomers())
        self._report()

    def _free(self, jobs: Iterable[Job]) -> None:
        """Takes the rows of `jobs` back."""
        for job in jobs:
            self.running.pop(job.key, None)
            self.rows_in_use -= job.rows

    def _newcomers(self) -> list[Job]:
        """Those whose sources are being read."""
        return self._encoding[0] if self._encoding else []

    def _encode_newcomers(self) -> None:
        """Has the next in line read by the encoder, unless it is busy. Where nothing is in search
        they join at once."""
        if self._encoding or not (jobs := self._line.next(self._max_rows - self.rows_in_use)):
            return
        self.rows_in_use += sum(job.rows for job in jobs)
        self._news.taken += [job.key for job in jobs]
        requests = [job.request for job in jobs]
        self._encoding = jobs, self._encoder.submit(self._search.encode, requests)
        if self._line or not self.running:  # rows are scarce, or nobody else will tell for a step
            self._report()
        if not self.running:
            self._join_encoded()

    def _join_encoded(self) -> None:
        """Lets those join whose sources were read. If they cannot be read, only they fail."""
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

    def _tell_tokens(self) -> None:
        """Tells those who listen what has become certain of their answers."""
        told = {key: job.tokens_told for key, job in self.running.items() if job.wants_tokens}
        for key, tokens in self._search.agreed(told).items() if told else ():
            self.running[key].tokens_told += len(tokens)
            self._news.tokens.append((key, tokens))

    def _fail(self, jobs: Iterable[Job]) -> None:
        jobs = list(jobs)
        self._free(jobs)
        self._news.outcomes += [(job.key, EngineError("the model failed")) for job in jobs]
