"""Decodes the requests of many callers together, in a process that belongs to one model.

Continuous batching: between any two steps of the decoder finished and abandoned requests leave and
waiting ones join. While the decoder steps, the encoder reads the sources of those that join next:
two graphs side by side use two cores better than one graph on both. An event loop in the same
process would wait for these threads, and they for it, on Python's lock. Knows no HTTP and no text.

    python -m app.worker FILE_DESCRIPTOR        of the socket to the server that started it
"""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.garbage import collect_rarely
from app.waiting import Line
from app.wire import (
    Asked,
    Gone,
    Hypotheses,
    Left,
    Link,
    NobodyElse,
    Order,
    Ready,
    Report,
    Tokens,
    WhoElse,
)
from model.config import SearchOptions
from model.errors import EngineError, Seq2SeqError
from model.generator import Generator
from model.search.beam import Encoded, Search
from model.search.options import USUAL_BEAM_SIZE
from model.search.requests import SearchRequest
from model.tokenizer import EOS_ID, UNK_ID

logger = logging.getLogger(__name__)

#: Where one in so many leaves at once, more may be about to: it is a crowd.
CROWD_ONE_IN = 16


@dataclass(eq=False)
class _Job:
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


class Worker:
    """Searches for a server, until that is gone.

    Args:
        new_search: makes a search without requests. Only this worker's threads use it, and the
            engine below it, from now on.
        link: to the server.
        max_rows: rows decoded together. A request takes as many as its beam is wide.
    """

    def __init__(self, new_search: Callable[[], Search], link: Link, *, max_rows: int) -> None:
        self._new_search = new_search
        self._link = link
        self._max_rows = max_rows
        self._jobs: dict[Hashable, _Job] = {}  # all for which somebody waits
        self._line: Line[_Job] = Line()
        self._running: dict[Hashable, _Job] = {}
        self._encoding: tuple[list[_Job], Future[Encoded]] | None = None
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._search = new_search()
        self._steps = 0
        self._rows_in_use = 0
        self._some_left = False  # of those that have rows
        # Of the next report:
        self._taken: list[Hashable] = []
        self._tokens: list[tuple[Hashable, Tokens]] = []
        self._outcomes: list[tuple[Hashable, Hypotheses | Exception]] = []
        self._told = (0, 0)  # steps and rows of the last one

    def run(self) -> None:
        """Works. An error fails the requests concerned and nothing else."""
        try:
            while True:
                self._listen()
                try:
                    self._join_encoded()
                    self._drop_abandoned()
                    self._encode_newcomers()
                    self._step()
                except Gone:
                    raise
                except Exception:
                    logger.exception("a step failed with %d requests in search", len(self._running))
                    self._fail(self._running.values())
                    self._search = self._new_search()
                self._report()
        except Gone:
            logger.debug("the server is gone")
        finally:
            self._encoder.shutdown()
            self._link.close()

    def _listen(self) -> None:
        """Takes what the server has sent; sleeps until then if there is nothing to do. Of a crowd
        that leaves, the last ones are waited for: a step would take longer."""
        is_idle = not (self._running or self._line or self._encoding)
        told = self._link.receive(waits=is_idle)
        while (leaving := self._heed(told)) and leaving * CROWD_ONE_IN >= len(self._running):
            self._link.send(WhoElse())
            told = []
            while NobodyElse() not in told:
                told += self._link.receive(waits=True)

    def _heed(self, told: Iterable[Any]) -> int:
        """Keeps in mind who comes and who leaves. Returns how many of those in search leave."""
        leaving = 0
        for each in told:
            if isinstance(each, Asked):
                job = _Job(each.key, each.request, each.wants_tokens)
                self._jobs[job.key] = job
                self._line.add(job)
            elif isinstance(each, Left) and (gone := self._jobs.pop(each.key, None)):
                gone.is_abandoned = self._some_left = True
                leaving += gone.key in self._running
        return leaving

    def _drop_abandoned(self) -> None:
        if not self._some_left:
            return
        gone = [job for job in self._running.values() if job.is_abandoned]
        self._search.remove({job.key for job in gone})
        self._free(gone)
        self._some_left = any(job.is_abandoned for job in self._newcomers())
        self._report()

    def _free(self, jobs: Iterable[_Job]) -> None:
        """Takes the rows of `jobs` back."""
        for job in jobs:
            self._jobs.pop(job.key, None)
            self._running.pop(job.key, None)
            self._rows_in_use -= job.rows

    def _newcomers(self) -> list[_Job]:
        """Those whose sources are being read."""
        return self._encoding[0] if self._encoding else []

    def _encode_newcomers(self) -> None:
        """Has the next in line read by the encoder, unless it is busy. Where nothing is in search
        they join at once."""
        if self._encoding or not (jobs := self._line.next(self._max_rows - self._rows_in_use)):
            return
        self._rows_in_use += sum(job.rows for job in jobs)
        self._taken += [job.key for job in jobs]
        requests = [job.request for job in jobs]
        self._encoding = jobs, self._encoder.submit(self._search.encode, requests)
        if self._line or not self._running:  # rows are scarce, or nobody else will tell for a step
            self._report()
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
            self._fail(jobs)
        else:
            self._running.update((job.key, job) for job in jobs)

    def _step(self) -> None:
        if not self._running:
            return
        self._steps += 1
        for key, hypotheses in self._search.step():
            self._free([self._running[key]])
            self._outcomes.append((key, hypotheses))
        self._tell_tokens()

    def _tell_tokens(self) -> None:
        """Tells those who listen what has become certain of their answers."""
        told = {key: job.tokens_told for key, job in self._running.items() if job.wants_tokens}
        for key, tokens in self._search.agreed(told).items() if told else ():
            self._running[key].tokens_told += len(tokens)
            self._tokens.append((key, tokens))

    def _fail(self, jobs: Iterable[_Job]) -> None:
        jobs = list(jobs)
        self._free(jobs)
        self._outcomes += [(job.key, EngineError("the model failed")) for job in jobs]

    def _report(self) -> None:
        """Tells the server what has happened, if anything has."""
        now = self._steps, self._rows_in_use
        if now != self._told or self._taken or self._tokens or self._outcomes:
            self._link.send(Report(*now, self._taken, self._tokens, self._outcomes))
            self._told, self._taken, self._tokens, self._outcomes = now, [], [], []


def serve(link: Link) -> None:
    """Does what a server orders: loads a model, lets its engine compile what the first callers will
    need, and works."""
    with suppress(Gone):
        (order,) = link.receive(waits=True)
        try:
            generator = load(order)
        except Seq2SeqError as error:
            link.send(error)
            return
        link.send(Ready(generator.config.sha256))
        collect_rarely()
        Worker(generator.new_search, link, max_rows=order.max_rows).run()


def load(order: Order) -> Generator:
    """The model of `order`, warm.

    Raises:
        FolderError: if the folder is absent or broken.
        EngineError: if the engine cannot run here.
    """
    generator = Generator.load(order.model, order.engine, threads=order.threads)
    own = generator.config.search.beam_size
    sizes = {1, *(min(size, order.max_beam_size) for size in (own, max(own, USUAL_BEAM_SIZE)))}
    for beam_size in sorted(sizes):
        warm_up(generator, beam_size)
    return generator


def warm_up(generator: Generator, beam_size: int) -> None:
    """Searches alone and in company, of short and of longer sources: engines compile by shape."""
    short, longer = (UNK_ID, EOS_ID), (UNK_ID,) * 20 + (EOS_ID,)
    options = SearchOptions(beam_size=beam_size, max_tokens=3)
    for sources in ([short], [short, longer]):
        generator.search([SearchRequest(None, source, options) for source in sources])


def main() -> None:
    """The process. It ends when its server does, and not by signals that both of them get: until
    then requests wait for answers."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    serve(Link(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
