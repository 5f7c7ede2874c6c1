"""Engines whose steps a test can direct, and workers on a thread, so that it can reach theirs."""

from __future__ import annotations

import asyncio
import socket
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx
import numpy as np
import uvicorn
from numpy.typing import NDArray
from starlette.types import ASGIApp

from app.decoding.messages import Connection
from app.decoding.process import WorkerProcess
from app.decoding.served_model import ServedModel
from app.decoding.worker import Worker
from app.server import config_of
from app.settings import Settings
from app.translation.protection import STAND_INS
from model.config import TextConfig
from model.contract import Limits, StepResult
from model.generator import Generator
from model.search.search import Search
from model.tokenizer import EOS_ID, Tokenizer
from model.types import Bool, Indices, Int32
from tests.conftest import PATIENCE_SECONDS, train_sentencepiece
from tests.engines import TableEngine

#: What the server of the tests says to everything.
REPLY = "i am fine, thank you"
#: What a model says that does not know.
FALLBACK = "ask somebody else"

#: Words of a language, and their translations.
ENGLISH = "one two three four five red dogs cats go home now you told me to".split()
GERMAN = "eins zwei drei vier fünf rote Hunde Katzen geh Haus jetzt du sagtest mir zu".split()

#: `serve(engine, settings)` runs a real server; `with` gives a client of it.
Serve = Callable[..., AbstractContextManager[httpx.Client]]


def word_tokenizer(context_turns: int = 1) -> Tokenizer:
    """A tokenizer with a piece for each word, number and mark."""
    words = (f"▁{word}" for word in ENGLISH + GERMAN)
    model = train_sentencepiece(
        string.ascii_letters + string.punctuation + "äöü",
        vocab_size=400,
        pieces=[*".,!?\N{REPLACEMENT CHARACTER}", *map(str, range(10, 100)), *STAND_INS, *words],
    )
    return Tokenizer(TextConfig(context_turns=context_turns, max_source_tokens=24), model)


class WordEngine:
    """Writes the piece that `mapping` has for each piece of the source, and attends to that one.
    The piece itself is the second likeliest."""

    has_shortlist = False
    compilations = 0

    def __init__(self, mapping: Int32) -> None:
        self.mapping = mapping

    def warm_up(self, limits: Limits) -> None:
        """Compiles nothing."""

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> list[Int32]:
        return [row[:length] for row, length in zip(source_ids, source_lengths, strict=True)]

    def new_table(self, width: int, *, use_shortlist: bool) -> WordTable:
        return WordTable(self.mapping)


class WordTable:
    """The sources of a `WordEngine`'s requests, and how many steps each has admitted."""

    def __init__(self, mapping: Int32) -> None:
        self._mapping = mapping
        self._slots: dict[int, tuple[Int32, int]] = {}

    def insert(self, slots: Indices, encoded: list[Int32], sources: Indices) -> None:
        for slot, source in zip(slots, sources, strict=True):
            self._slots[int(slot)] = encoded[source], 0

    def move(self, origins: Indices, slots: Indices) -> None:
        for origin, slot in zip(origins, slots, strict=True):
            self._slots[int(slot)] = self._slots[int(origin)]

    def free(self, slots: Indices) -> None:
        """Needs to know of none."""

    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        longest = max(len(ids) for ids, _ in self._slots.values())
        logprobs = np.full((*tokens.shape, len(self._mapping)), -20.0, np.float32)
        attention = np.zeros((*tokens.shape, longest), np.float32)
        for slot in range(len(tokens)):
            ids, steps = self._slots[slot]
            place = min(steps, len(ids) - 1)
            logprobs[slot, :, ids[place]] = -5.0
            logprobs[slot, :, self._mapping[ids[place]]] = -0.01
            attention[slot, :, place] = 1.0
            self._slots[slot] = ids, steps + 1
        best = np.argsort(-logprobs, axis=2, kind="stable")[:, :, :top_k].astype(np.int32)
        return StepResult(
            tokens=best,
            logprobs=np.take_along_axis(logprobs, best, axis=2),
            attention_weights=attention,
            wanted_logprobs=(
                None if wanted is None else np.take_along_axis(logprobs, wanted, axis=2)
            ),
        )


class SteppedEngine(TableEngine):
    """Stands still before every step until it is told to `go`."""

    def __init__(self, table: NDArray[np.float64]) -> None:
        super().__init__(table)
        self.failure: Exception | None = None
        self.unreadable = False
        self._rows = 0
        self._steps = 0
        self._arrived = threading.Semaphore(0)
        self._gate = threading.Semaphore(0)

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> Int32:
        if self.unreadable:
            raise ValueError("no such source")
        return super().encode(source_ids, source_lengths, use_shortlist)

    def step(
        self, sources: Int32, tokens: Int32, top_k: int, wanted: Int32 | None = None
    ) -> StepResult:
        self._rows = tokens.size
        self._steps += 1
        self._arrived.release()
        if not self._gate.acquire(timeout=PATIENCE_SECONDS):
            raise TimeoutError("the test never let this step go")
        if self.failure is not None:
            raise self.failure
        return super().step(sources, tokens, top_k, wanted)

    @property
    def steps(self) -> int:
        """Steps begun so far."""
        return self._steps

    def go(self, steps: int = 1) -> None:
        """Lets as many steps run."""
        self._gate.release(steps)

    def arrives(self, within_seconds: float = PATIENCE_SECONDS) -> bool:
        """Waits until a step is about to run. False if none is."""
        return self._arrived.acquire(timeout=within_seconds)

    async def next_rows(self) -> int:
        """Waits until a step is about to run; how many rows it has."""
        assert await asyncio.to_thread(self.arrives), "no step came"
        return self._rows


def let_time_pass(seconds: float) -> None:
    """Moves the clock of the running event loop on."""
    loop = asyncio.get_running_loop()
    loop.time = lambda: time.monotonic() + seconds  # type: ignore[method-assign]


class ThreadWorker(WorkerProcess):
    """A worker on a thread, ready at once."""

    def __init__(self, new_search: Callable[[], Search], max_rows: int) -> None:
        self.socket, theirs = socket.socketpair()
        self.worker = Worker(new_search, Connection(theirs), max_rows=max_rows)
        self._thread = threading.Thread(target=self.worker.run)
        self._thread.start()

    @property
    def memory_bytes(self) -> int:
        return 0

    def wait_until_ready(self) -> dict[str, str]:
        return {}

    def stop(self) -> None:
        self.socket.close()
        self._thread.join()

    def kill(self) -> None:
        raise AssertionError("a thread cannot be killed")


def loaded(generator: Generator, settings: Settings) -> ServedModel:
    """`generator` with a worker on a thread."""

    def new_worker() -> ThreadWorker:
        return ThreadWorker(generator.new_search, settings.max_rows)

    rerank_model = None
    if generator.rerank_generator is not None:
        rerank_model = loaded(generator.rerank_generator, settings)
    return ServedModel.of_worker(
        new_worker(),
        new_worker,
        generator.config,
        generator.tokenizer,
        settings,
        rerank_model=rerank_model,
        questions=generator.questions,
    )


@contextmanager
def serving(app: ASGIApp, settings: Settings | None = None) -> Iterator[httpx.Client]:
    """A real server on a free port, and a client of it."""
    limits = (settings or Settings()).model_copy(update={"port": 0})
    server = uvicorn.Server(config_of(app, limits, log_config=None))
    started = threading.Event()
    thread = threading.Thread(target=_run, args=(server, started))
    thread.start()
    try:
        assert started.wait(PATIENCE_SECONDS), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def _run(server: uvicorn.Server, started: threading.Event) -> None:
    startup = server.startup

    async def announced_startup(*args: Any, **options: Any) -> None:
        await startup(*args, **options)
        started.set()

    server.startup = announced_startup  # type: ignore[method-assign]
    server.run()


def chain(vocab_size: int, *tokens: int) -> NDArray[np.float64]:
    """A table in which each of `tokens` is followed by the next with probability 0.9, and every
    other token by the end with 0.9; the rest is spread evenly over the others."""
    table = np.full((vocab_size, vocab_size), 0.1 / (vocab_size - 1))
    following = np.full(vocab_size, EOS_ID)
    following[list(tokens[:-1])] = tokens[1:]
    table[np.arange(vocab_size), following] = 0.9
    return table


def loop(vocab_size: int, token: int) -> NDArray[np.float64]:
    """A table in which `token` follows everything: a hypothesis only ends by its length."""
    table = np.full((vocab_size, vocab_size), 0.1 / (vocab_size - 1))
    table[:, token] = 0.9
    return table


def error_of(answer: httpx.Response) -> dict[str, Any]:
    """The error, after a look at its shape: a field is named in the message too."""
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"code", "message", "field"}
    assert error["field"] is None or error["message"].startswith(error["field"].split(".")[0])
    return error
