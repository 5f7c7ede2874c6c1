"""The process that decodes the requests of many callers together; one for each model.

Continuous batching: between any two decoder steps, finished and cancelled requests leave and
waiting ones join. While the decoder steps, a second thread encodes the sources of the next
requests: two graphs side by side use two cores better than one graph on both. Decoding has its own
process because an event loop and these threads would wait for each other on Python's lock. Knows no
HTTP and no text.

    python -m app.decoding.worker FILE_DESCRIPTOR LOG_FORMAT

FILE_DESCRIPTOR is that of the socket to the server that started the process.
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
from typing import TYPE_CHECKING, Any

from app.decoding.admission import is_costly
from app.decoding.lane import Job, Lane, PendingReport
from app.decoding.messages import (
    Cancel,
    Connection,
    Disconnected,
    Flush,
    Flushed,
    Ready,
    Report,
    Submit,
    WorkerConfig,
    plain_options,
)
from app.logs import log_config
from model.contract import Engine, Limits
from model.engine import load_engine
from model.errors import Seq2SeqError
from model.folder import ModelFolder, verify_files
from model.search.requests import USUAL_BEAM_SIZE, SearchRequest
from model.search.search import Search
from model.tokenizer import BOS_ID, EOS_ID, UNK_ID

if TYPE_CHECKING:
    from model.config import SearchOptions

logger = logging.getLogger(__name__)

#: If at least one in this many requests in search is cancelled at once, more cancellations are
#: probably on their way.
MASS_CANCEL_ONE_IN = 16

#: One in this many rows is for costly requests, but at least as many as the widest beam takes.
COSTLY_ROWS_ONE_IN = 8

#: Time factor of the costly lane; that of the plain lane is 1.
COSTLY_TIME_FACTOR = 3.0


class Worker:
    """Decodes for a server until it disconnects.

    Costly requests have their own lane. Of the lanes that have work, the one with the smallest
    virtual time steps (weighted fair queuing): plain requests get at least three quarters of the
    time, and all of it if there are no costly ones.

    Args:
        new_search: builds an empty search. From now on, only this worker's threads use it and the
            engine below it.
        connection: connection to the server.
        max_rows: rows decoded together.
        costly_rows: rows for costly requests; few, so that their steps are short. None: `max_rows`.
        compilations: returns how many programs the engine has compiled since its warm-up.
    """

    def __init__(
        self,
        new_search: Callable[[], Search],
        connection: Connection,
        *,
        max_rows: int,
        costly_rows: int | None = None,
        compilations: Callable[[], int] = lambda: 0,
    ) -> None:
        self._connection = connection
        self._jobs: dict[Hashable, tuple[Job, Lane]] = {}  # all open requests
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._pending = PendingReport()
        self._compilations = compilations
        self._reported = (0, 0, 0)  # steps, rows and compilations of the last report

        new_lane = partial(Lane, new_search, self._encoder, self._pending, self._report)
        self._plain = new_lane(max_rows=max_rows, time_factor=1.0)
        self._costly = new_lane(max_rows=costly_rows or max_rows, time_factor=COSTLY_TIME_FACTOR)
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
                self._report()  # includes the last step: one message per step
                self._step()
        except Disconnected:
            logger.debug("the server has disconnected")
        finally:
            self._encoder.shutdown()
            self._connection.close()

    def _step(self) -> None:
        busy = [lane for lane in self._lanes if lane.running]
        if not busy:
            return
        next_lane = min(busy, key=lambda lane: lane.virtual_time)
        for lane in self._lanes:  # an idle lane saves up no time
            if not lane.running:
                lane.virtual_time = next_lane.virtual_time
        next_lane.step()

    def _receive(self) -> None:
        """Receives messages; blocks if there is nothing to do. If many requests are cancelled at
        once, waits for the last of them, since a step would take longer than that."""
        messages = self._connection.receive(block=self._is_idle)
        while (
            cancelled := self._apply(messages)
        ) and cancelled * MASS_CANCEL_ONE_IN >= self._in_search:
            self._connection.send(Flush())
            messages = []
            while Flushed() not in messages:
                messages += self._connection.receive(block=True)

    @property
    def _is_idle(self) -> bool:
        """Tells whether there is nothing to do."""
        return all(lane.is_idle for lane in self._lanes)

    @property
    def _in_search(self) -> int:
        """Returns the number of requests in search."""
        return sum(len(lane.running) for lane in self._lanes)

    def _apply(self, messages: Iterable[Any]) -> int:
        """Adds and cancels requests. Returns how many of the cancelled ones were in search."""
        cancelled = 0
        for each in messages:
            if isinstance(each, Submit):
                job = Job(each.key, each.request, each.is_streamed)
                lane = self._costly if is_costly(each.request) else self._plain
                self._jobs[job.key] = job, lane
                lane.add(job)
            elif isinstance(each, Cancel) and (found := self._jobs.pop(each.key, None)):
                job, lane = found
                lane.cancel(job)
                cancelled += job.key in lane.running
        return cancelled

    def _report(self) -> None:
        """Sends the pending report to the server, unless nothing has changed."""
        steps = sum(lane.steps for lane in self._lanes)
        now = steps, sum(lane.rows_in_use for lane in self._lanes), self._compilations()
        pending = self._pending
        if now != self._reported or pending:
            for key, _ in pending.results:
                self._jobs.pop(key, None)
            self._connection.send(Report(*now, pending.admitted, pending.tokens, pending.results))
            self._reported = now
            pending.clear()


def serve(connection: Connection) -> None:
    """Loads the model of the `WorkerConfig` that arrives first, compiles its programs, and runs a
    `Worker`."""
    with suppress(Disconnected):
        (config,) = connection.receive(block=True)
        try:
            folder = ModelFolder(config.model, config.document)
            verify_files(folder)
            engine = load_warm_engine(folder, config)
        except Seq2SeqError as error:
            connection.send(error)
            return
        connection.send(Ready(folder.sha256))
        gc.freeze()  # the collector never scans these long-lived objects
        trim_memory()
        costly_rows = max(config.max_rows // COSTLY_ROWS_ONE_IN, config.max_beam_size)
        before = engine.compilations
        Worker(
            partial(new_search, engine),
            connection,
            max_rows=config.max_rows,
            costly_rows=costly_rows,
            compilations=lambda: engine.compilations - before,
        ).run()


def load_warm_engine(folder: ModelFolder, config: WorkerConfig) -> Engine:
    """Loads the engine of a model and warms it up.

    Raises:
        FolderError: if its files do not fit.
        EngineError: if the engine cannot run here.
    """
    engine = load_engine(folder, config.engine, threads=config.threads)
    text, search = (folder.document[part] for part in ("text", "search"))
    engine.warm_up(Limits(config.max_rows, text["max_source_tokens"], config.max_tokens))
    own = search["beam_size"]
    sizes = {1, *(min(size, config.max_beam_size) for size in (own, max(own, USUAL_BEAM_SIZE)))}
    for beam_size in sorted(sizes):
        short = {"beam_size": beam_size, "min_tokens": 0, "max_tokens": 3}
        warm_up(engine, plain_options({**search, **short, "n_best": 1, "temperature": 0.0}))
    return engine


def new_search(engine: Engine) -> Search:
    """Builds an empty search that never produces the unknown word."""
    return Search(engine, bos_id=BOS_ID, eos_id=EOS_ID, blocked_ids=(UNK_ID,))


def trim_memory() -> None:
    """Returns the memory that loading has freed to the system: half of it, with glibc."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def warm_up(engine: Engine, options: SearchOptions) -> None:
    """Runs searches alone and in a batch, with short and longer sources: the first one is slow."""
    short, longer = (UNK_ID, EOS_ID), (UNK_ID,) * 20 + (EOS_ID,)
    for sources in ([short], [short, longer]):
        search = new_search(engine)
        search.add([SearchRequest(key, source, options) for key, source in enumerate(sources)])
        while not search.is_idle:
            search.step()


def main() -> None:
    """Runs the process until its server ends. It ignores the signals that both processes receive,
    since requests are still waiting for answers then."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    descriptor, log_format = sys.argv[1:]
    logging.config.dictConfig(log_config("json" if log_format == "json" else "text"))
    serve(Connection(socket.socket(fileno=int(descriptor))))


if __name__ == "__main__":
    main()
