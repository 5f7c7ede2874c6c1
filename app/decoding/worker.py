"""The process that decodes the requests of many callers together; one for each model.

Continuous batching: between any two steps of the decoder finished and cancelled requests leave and
waiting ones join. While the decoder steps, the encoder encodes the sources of the next ones: two
graphs side by side use two cores better than one graph on both. An event loop in the same process
would wait for these threads, and they for it, on Python's lock. Knows no HTTP and no text.

    python -m app.decoding.worker FILE_DESCRIPTOR LOG_FORMAT

FILE_DESCRIPTOR is that of the socket to the server that started it.
"""

from __future__ import annotations

import ctypes
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
    Cancel,
    Disconnected,
    Flush,
    Flushed,
    Link,
    Ready,
    Report,
    Submit,
    WorkerConfig,
)
from app.logs import log_config
from model.config import SearchOptions
from model.contract import Limits
from model.errors import Seq2SeqError
from model.generator import Generator
from model.search.beam import Search
from model.search.options import USUAL_BEAM_SIZE
from model.search.requests import SearchRequest
from model.tokenizer import EOS_ID, UNK_ID

logger = logging.getLogger(__name__)

#: If one in so many requests in search is cancelled at once, more cancellations are probably on
#: their way.
MASS_CANCEL_ONE_IN = 16

#: One in so many rows is for costly requests; at least those of the widest beam are.
COSTLY_ROWS_ONE_IN = 8

#: Factor of the costly lane's seconds; that of the plain lane is 1.
COSTLY_WEIGHT = 3.0


class Worker:
    """Searches for a server until that disconnects.

    Costly requests have a lane of their own. Of two lanes that have work the one steps whose clock
    is behind: so plain requests get at least three quarters of the time, and all of it if there are
    no costly ones.

    Args:
        new_search: makes a search without requests. Only this worker's threads use it, and the
            engine below it, from now on.
        link: to the server.
        max_rows: rows decoded together.
        costly_rows: rows of costly requests; few, so that their steps are soon over. None: as many.
        compilations: returns how many programs the engine has compiled since it was warm.
    """

    def __init__(
        self,
        new_search: Callable[[], Search],
        link: Link,
        *,
        max_rows: int,
        costly_rows: int | None = None,
        compilations: Callable[[], int] = lambda: 0,
    ) -> None:
        self._link = link
        self._jobs: dict[Hashable, tuple[Job, Lane]] = {}  # all that are open
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._news = News()
        self._compilations = compilations
        self._reported = (0, 0, 0)  # steps, rows and compilations of the last report

        new_lane = partial(Lane, new_search, self._encoder, self._news, self._report)
        self._plain = new_lane(max_rows=max_rows, weight=1.0)
        self._costly = new_lane(max_rows=costly_rows or max_rows, weight=COSTLY_WEIGHT)
        self._lanes = self._plain, self._costly

    def run(self) -> None:
        """Decodes until the server disconnects."""
        try:
            while True:
                if self._is_idle:
                    self._report()
                self._receive()
                for lane in self._lanes:
                    lane.admit()
                self._report()  # of the last step as well: one message a step
                self._step()
        except Disconnected:
            logger.debug("the server is gone")
        finally:
            self._encoder.shutdown()
            self._link.close()

    def _step(self) -> None:
        busy = [lane for lane in self._lanes if lane.running]
        if not busy:
            return
        behind = min(busy, key=lambda lane: lane.clock)
        for lane in self._lanes:  # an idle lane has saved no time up
            if not lane.running:
                lane.clock = behind.clock
        behind.step()

    def _receive(self) -> None:
        """Receives what the server has sent; blocks if there is nothing to do. If many requests are
        cancelled at once, waits for the last of them: a step would take longer."""
        messages = self._link.receive(waits=self._is_idle)
        while (
            cancelled := self._apply(messages)
        ) and cancelled * MASS_CANCEL_ONE_IN >= self._in_search:
            self._link.send(Flush())
            messages = []
            while Flushed() not in messages:
                messages += self._link.receive(waits=True)

    @property
    def _is_idle(self) -> bool:
        """Tells whether there is nothing to do."""
        return all(lane.is_idle for lane in self._lanes)

    @property
    def _in_search(self) -> int:
        """Returns the number of requests in search."""
        return sum(len(lane.running) for lane in self._lanes)

    def _apply(self, messages: Iterable[Any]) -> int:
        """Adds and cancels requests. Returns the number of cancelled ones that were in search."""
        cancelled = 0
        for each in messages:
            if isinstance(each, Submit):
                job = Job(each.key, each.request, each.wants_tokens)
                lane = self._costly if is_costly(each.request) else self._plain
                self._jobs[job.key] = job, lane
                lane.add(job)
            elif isinstance(each, Cancel) and (found := self._jobs.pop(each.key, None)):
                job, lane = found
                lane.abandon(job)
                cancelled += job.key in lane.running
        return cancelled

    def _report(self) -> None:
        """Sends the news to the server, if there are any."""
        steps = sum(lane.steps for lane in self._lanes)
        now = steps, sum(lane.rows_in_use for lane in self._lanes), self._compilations()
        news = self._news
        if now != self._reported or news:
            for key, _ in news.outcomes:
                self._jobs.pop(key, None)
            self._link.send(Report(*now, news.taken, news.tokens, news.outcomes))
            self._reported = now
            news.clear()


def serve(link: Link) -> None:
    """Loads the model of the `WorkerConfig` that comes first, compiles what callers will need, and
    runs a `Worker`."""
    with suppress(Disconnected):
        (config,) = link.receive(waits=True)
        try:
            generator = load(config)
        except Seq2SeqError as error:
            link.send(error)
            return
        link.send(Ready(generator.config.sha256))
        gc.freeze()  # the collector never scans what stays
        give_memory_back()
        few = max(config.max_rows // COSTLY_ROWS_ONE_IN, config.max_beam_size)
        engine = generator.engine
        before = engine.compilations
        Worker(
            generator.new_search,
            link,
            max_rows=config.max_rows,
            costly_rows=few,
            compilations=lambda: engine.compilations - before,
        ).run()


def load(config: WorkerConfig) -> Generator:
    """Loads a worker's model and warms it up.

    Raises:
        FolderError: if the folder is absent or broken.
        EngineError: if the engine cannot run here.
    """
    generator = Generator.load(config.model, config.engine, threads=config.threads)
    longest = generator.config.text.max_source_tokens
    generator.engine.warm_up(Limits(config.max_rows, longest, config.max_tokens))
    own = generator.config.search.beam_size
    sizes = {1, *(min(size, config.max_beam_size) for size in (own, max(own, USUAL_BEAM_SIZE)))}
    for beam_size in sorted(sizes):
        warm_up(generator, beam_size)
    return generator


def give_memory_back() -> None:
    """Returns what loading has freed to the system: half of it, where the C library is glibc."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def warm_up(generator: Generator, beam_size: int) -> None:
    """Searches alone and in a batch, with short and longer sources: a first time takes longer."""
    short, longer = (UNK_ID, EOS_ID), (UNK_ID,) * 20 + (EOS_ID,)
    options = SearchOptions(beam_size=beam_size, max_tokens=3)
    for sources in ([short], [short, longer]):
        generator.search([SearchRequest(None, source, options) for source in sources])


def main() -> None:
    """Runs the process until its server ends. Signals that both of them get are ignored: requests
    still wait for answers then."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    descriptor, log_format = sys.argv[1:]
    logging.config.dictConfig(log_config("json" if log_format == "json" else "text"))
    serve(Link(socket.socket(fileno=int(descriptor))))


if __name__ == "__main__":
    main()
