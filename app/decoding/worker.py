"""Decodes the requests of many callers together, in a process that belongs to one model.

Continuous batching: between any two steps of the decoder finished and abandoned requests leave and
waiting ones join. While the decoder steps, the encoder reads the sources of those that join next:
two graphs side by side use two cores better than one graph on both. An event loop in the same
process would wait for these threads, and they for it, on Python's lock. Knows no HTTP and no text.

    python -m app.decoding.worker FILE_DESCRIPTOR        of the socket to the server that started it
"""

from __future__ import annotations

import gc
import logging.config
import signal
import socket
import sys
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from app.decoding.admission import is_costly
from app.decoding.lane import Job, Lane, News
from app.decoding.messages import (
    Asked,
    Gone,
    Left,
    Link,
    NobodyElse,
    Order,
    Ready,
    Report,
    WhoElse,
)
from app.logs import LOG_CONFIG
from model.config import SearchOptions
from model.errors import Seq2SeqError
from model.generator import Generator
from model.search.beam import Search
from model.search.options import USUAL_BEAM_SIZE
from model.search.requests import SearchRequest
from model.tokenizer import EOS_ID, UNK_ID

logger = logging.getLogger(__name__)

#: Where one in so many leaves at once, more may be about to: it is a crowd.
CROWD_ONE_IN = 16

#: How many rows costly requests have, of all: at least those of the widest beam.
COSTLY_ROWS_ONE_IN = 4

#: What a second of the costly lane counts, beside one of the plain lane.
COSTLY_WEIGHT = 3.0


class Worker:
    """Searches for a server, until that is gone.

    Costly requests have a lane of their own. Of two lanes that have work the one steps whose clock
    is behind: so plain requests get three quarters of the time at least, whatever else is asked,
    and all of it where nothing else is.

    Args:
        new_search: makes a search without requests. Only this worker's threads use it, and the
            engine below it, from now on.
        link: to the server.
        max_rows: rows decoded together.
        costly_rows: of costly requests; few, so that their steps are soon over. None: as many.
    """

    def __init__(
        self,
        new_search: Callable[[], Search],
        link: Link,
        *,
        max_rows: int,
        costly_rows: int | None = None,
    ) -> None:
        self._link = link
        self._jobs: dict[Hashable, tuple[Job, Lane]] = {}  # all for which somebody waits
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._news = News()
        self._told = (0, 0)  # steps and rows of the last report

        new_lane = partial(Lane, new_search, self._encoder, self._news, self._report)
        self._plain = new_lane(max_rows=max_rows, weight=1.0)
        self._costly = new_lane(max_rows=costly_rows or max_rows, weight=COSTLY_WEIGHT)
        self._lanes = self._plain, self._costly

    def run(self) -> None:
        """Works."""
        try:
            while True:
                self._listen()
                for lane in self._lanes:
                    lane.admit()
                self._step()
                self._report()
        except Gone:
            logger.debug("the server is gone")
        finally:
            self._encoder.shutdown()
            self._link.close()

    def _step(self) -> None:
        busy = [lane for lane in self._lanes if lane.running]
        if not busy:
            return
        behind = min(busy, key=lambda lane: lane.clock)
        for lane in self._lanes:  # who had nothing to do has saved nothing up
            if not lane.running:
                lane.clock = behind.clock
        behind.step()

    def _listen(self) -> None:
        """Takes what the server has sent; sleeps until then if there is nothing to do. Of a crowd
        that leaves, the last ones are waited for: a step would take longer."""
        told = self._link.receive(waits=all(lane.is_idle for lane in self._lanes))
        while (leaving := self._heed(told)) and leaving * CROWD_ONE_IN >= self._in_search:
            self._link.send(WhoElse())
            told = []
            while NobodyElse() not in told:
                told += self._link.receive(waits=True)

    @property
    def _in_search(self) -> int:
        """Requests in search."""
        return sum(len(lane.running) for lane in self._lanes)

    def _heed(self, told: Iterable[Any]) -> int:
        """Keeps in mind who comes and who leaves. Returns how many of those in search leave."""
        leaving = 0
        for each in told:
            if isinstance(each, Asked):
                job = Job(each.key, each.request, each.wants_tokens)
                lane = self._costly if is_costly(each.request) else self._plain
                self._jobs[job.key] = job, lane
                lane.add(job)
            elif isinstance(each, Left) and (gone := self._jobs.pop(each.key, None)):
                job, lane = gone
                lane.abandon(job)
                leaving += job.key in lane.running
        return leaving

    def _report(self) -> None:
        """Tells the server what has happened, if anything has."""
        steps = sum(lane.steps for lane in self._lanes)
        now = steps, sum(lane.rows_in_use for lane in self._lanes)
        news = self._news
        if now != self._told or news:
            for key, _ in news.outcomes:
                self._jobs.pop(key, None)
            self._link.send(Report(*now, news.taken, news.tokens, news.outcomes))
            self._told = now
            news.clear()


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
        gc.freeze()  # what stays is never looked through
        few = max(order.max_rows // COSTLY_ROWS_ONE_IN, order.max_beam_size)
        Worker(generator.new_search, link, max_rows=order.max_rows, costly_rows=few).run()


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
    logging.config.dictConfig(LOG_CONFIG)
    serve(Link(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
