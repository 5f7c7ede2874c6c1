"""Requests of a worker that dies, and of the one after it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from app.decoding.client import WorkerClient
from app.decoding.messages import Tokens
from app.errors import Overloaded, Unavailable
from tests.app.decoding.scenarios import (
    LONG,
    TOKEN,
    SubmitTask,
    becomes,
    started,
    with_client,
)
from tests.app.fakes import SteppedEngine, ThreadWorker

#: All their requests are in one lane.
pytestmark = pytest.mark.usefixtures("one_lane")


def kill_worker(client: WorkerClient) -> None:
    """Closes the connection, as if the worker's process had gone."""
    client._worker.socket.shutdown(socket.SHUT_RDWR)


async def restarts_become(client: WorkerClient, restarts: int) -> None:
    await becomes(lambda: client.restarts == restarts)
    assert not client.is_alive and client.rows_in_use == 0


def test_requests_wait_for_the_worker_after_one_that_dies(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        running, waiting = submit(max_tokens=5), submit(max_tokens=3)
        await engine.next_rows()
        kill_worker(client)
        await restarts_become(client, 1)
        newcomer = submit(max_tokens=2)
        await started(newcomer)
        assert client.waiting == 3
        engine.go(1000)
        answers = await asyncio.gather(running, waiting, newcomer)
        assert [answer[0].tokens for answer in answers] == [(TOKEN,) * n for n in (5, 3, 2)]
        assert client.is_alive and not client.waiting

    with_client(engine, scenario, max_rows=1)


def test_no_more_requests_wait_for_a_worker_than_the_queue_takes(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        tasks = [submit(), submit()]
        await engine.next_rows()
        kill_worker(client)
        await restarts_become(client, 1)
        with pytest.raises(Overloaded, match="2 requests are already waiting"):
            await submit()
        engine.go(1000)
        await asyncio.gather(*tasks)

    with_client(engine, scenario, max_rows=2, max_queue=2)


def test_a_request_fails_if_two_workers_died_while_they_decoded_it(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        deadly = submit(max_tokens=LONG)
        await engine.next_rows()
        waiting = submit(max_tokens=1)
        await started(waiting)
        kill_worker(client)
        await restarts_become(client, 1)
        engine.go()  # the first worker's step
        await becomes(lambda: client.rows_in_use == 1)
        kill_worker(client)
        with pytest.raises(Unavailable, match="has died"):
            await deadly
        engine.go(LONG)
        assert (await waiting)[0].tokens == (TOKEN,)
        assert client.restarts == 2

    with_client(engine, scenario, max_rows=1)


def test_only_what_has_told_no_tokens_is_decoded_again(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        told: list[Tokens] = []
        later: list[Tokens] = []
        streamed = submit(max_tokens=5, on_tokens=told.append)
        await engine.next_rows()
        waiting = submit(max_tokens=5, on_tokens=later.append)
        engine.go()
        await engine.next_rows()
        await becomes(lambda: bool(told))
        kill_worker(client)
        with pytest.raises(Unavailable, match="has died"):
            await streamed
        assert told == [(TOKEN,)] and not later
        engine.go(1000)
        assert (await waiting)[0].tokens == (TOKEN,) * 5
        assert later == [(TOKEN,)] * 4

    with_client(engine, scenario, max_rows=1)


def test_requests_fail_where_no_worker_can_be_started(
    engine: SteppedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> ThreadWorker:
        raise OSError(12, "Cannot allocate memory")

    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        client._new_worker = fail
        running = submit(max_tokens=5)
        await engine.next_rows()
        kill_worker(client)
        engine.go(1000)
        for task in (running, submit()):
            with pytest.raises(Unavailable, match="cannot be started again"):
                await task
        with pytest.raises(Unavailable, match="not working"):
            await submit()

    with_client(engine, scenario)
    assert "Cannot allocate memory" in caplog.text


def test_closing_tells_those_who_wait_for_another_worker(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        running = submit(max_tokens=5)
        await engine.next_rows()
        kill_worker(client)
        await restarts_become(client, 1)
        closing = asyncio.create_task(client.close())
        with pytest.raises(Unavailable, match="is stopping"):
            await running
        with pytest.raises(Unavailable):
            await submit()
        engine.go(1000)
        await closing

    with_client(engine, scenario)
