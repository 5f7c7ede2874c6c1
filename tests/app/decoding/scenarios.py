"""What happens to a client of a worker, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from app.decoding.client import WorkerClient
from app.decoding.messages import Hypotheses, Tokens
from model.config import SearchOptions
from model.search.requests import SearchRequest
from model.search.search import Search
from model.tokenizer import BOS_ID, EOS_ID
from tests.app.fakes import SteppedEngine, ThreadWorker
from tests.conftest import PATIENCE_SECONDS
from tests.engines import TableEngine

VOCAB_SIZE, TOKEN = 12, 7

#: Tokens of a reply that is still being decoded, however long it takes until others join it.
LONG = 1000

SubmitTask = Callable[..., "asyncio.Task[Hypotheses]"]


def search_over(engine: TableEngine) -> Callable[[], Search]:
    return partial(Search, engine, bos_id=BOS_ID, eos_id=EOS_ID)


def with_client(
    engine: TableEngine,
    scenario: Callable[[WorkerClient, SubmitTask], Awaitable[None]],
    *,
    max_rows: int = 4,
    max_queue: int = 4,
) -> None:
    """Runs a scenario on a client that is closed afterwards."""

    async def run() -> None:
        new_worker = partial(ThreadWorker, search_over(engine), max_rows)
        client = WorkerClient(
            new_worker(),
            new_worker,
            max_rows=max_rows,
            max_queue=max_queue,
            step_seconds=10 * PATIENCE_SECONDS,
        )
        await client.open()

        def submit(
            max_tokens: int = 1,
            beam_size: int = 1,
            timeout_seconds: float = PATIENCE_SECONDS,
            on_tokens: Callable[[Tokens], None] | None = None,
        ) -> asyncio.Task[Hypotheses]:
            options = SearchOptions(max_tokens=max_tokens, beam_size=beam_size)
            return asyncio.create_task(
                client.submit(
                    SearchRequest(None, (5, EOS_ID), options),
                    timeout_seconds=timeout_seconds,
                    on_tokens=on_tokens,
                )
            )

        try:
            await scenario(client, submit)
        finally:
            if isinstance(engine, SteppedEngine):
                engine.go(1000)
            await client.close()

    asyncio.run(run())


async def started(*tasks: asyncio.Task[Hypotheses]) -> None:
    """Lets new tasks run until they wait for their answers."""
    await asyncio.sleep(0)


async def rows_become(engine: SteppedEngine, rows: int) -> None:
    """Lets steps run until one is about to run that has so many rows. Sources that are read
    meanwhile join at a later step: each step leaves them some time, and `LONG` replies outlast
    it."""
    while await engine.next_rows() != rows:
        await asyncio.sleep(0.01)
        engine.go()


async def becomes(is_so: Callable[[], bool]) -> None:
    """Waits until `is_so`, while the event loop runs."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():
            await asyncio.sleep(0.001)
