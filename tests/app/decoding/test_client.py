from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from app.decoding.client import WorkerClient
from app.decoding.messages import Tokens
from app.errors import DeadlineExceeded, Overloaded, Unavailable
from model.errors import EngineError
from model.types import Bool, Int32
from tests.app.decoding.scenarios import (
    LONG,
    TOKEN,
    VOCAB_SIZE,
    SubmitTask,
    becomes,
    rows_become,
    started,
    with_client,
)
from tests.app.fakes import SteppedEngine, ThreadWorker, let_time_pass, loop
from tests.conftest import PATIENCE_SECONDS
from tests.engines import TableEngine

#: All their requests are in one lane.
pytestmark = pytest.mark.usefixtures("one_lane")


def test_newcomers_join_while_others_are_decoded(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        long = submit(max_tokens=LONG)
        await rows_become(engine, 1)
        short = submit(max_tokens=1)
        await started(short)
        engine.go()
        await rows_become(engine, 2)
        engine.go()
        assert (await short)[0].tokens == (TOKEN,)
        assert not long.done()
        assert await engine.next_rows() == 1
        engine.go(LONG)
        assert (await long)[0].tokens == (TOKEN,) * LONG

    with_client(engine, scenario)


def test_requests_get_the_same_answer_together_as_alone() -> None:
    table = np.random.default_rng(3).dirichlet(np.full(VOCAB_SIZE, 0.3), VOCAB_SIZE) + 1e-6
    sizes = [(1, 9), (4, 6), (2, 12), (3, 1), (1, 2), (4, 9)] * 3

    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        alone = [await submit(max_tokens, beam_size) for beam_size, max_tokens in sizes]
        tasks = [submit(max_tokens, beam_size) for beam_size, max_tokens in sizes]
        assert await asyncio.gather(*tasks) == alone

    with_client(TableEngine(table), scenario, max_rows=8, max_queue=len(sizes))


def test_a_cancelled_request_leaves_at_the_next_step(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        staying, leaving = submit(max_tokens=LONG), submit(max_tokens=LONG)
        await started(staying, leaving)
        await rows_become(engine, 2)
        leaving.cancel()
        await asyncio.wait([leaving])
        engine.go()
        assert await engine.next_rows() == 1
        engine.go(LONG)
        assert (await staying)[0].tokens == (TOKEN,) * LONG

    with_client(engine, scenario)


def test_a_request_cancelled_in_the_queue_makes_room_there(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        submit(max_tokens=3)
        await engine.next_rows()
        waiting = submit()
        await started(waiting)
        waiting.cancel()
        await asyncio.wait([waiting])
        engine.go(4)
        assert await submit()

    with_client(engine, scenario, max_rows=1, max_queue=1)


def test_a_full_queue_refuses(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        running = submit()
        await engine.next_rows()
        waiting = submit()
        with pytest.raises(Overloaded, match="1 requests are already waiting"):
            await submit()
        engine.go(2)
        assert await running and await waiting

    with_client(engine, scenario, max_rows=1, max_queue=1)


def test_a_request_beyond_its_deadline_is_given_up(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        late = submit(max_tokens=5, timeout_seconds=900.0)
        assert await engine.next_rows() == 1
        let_time_pass(900.0)
        with pytest.raises(DeadlineExceeded, match="within 900 seconds"):
            await late
        other = submit(max_tokens=1)
        await started(other)
        engine.go()
        assert await engine.next_rows() == 1  # the late one is not decoded on
        engine.go()
        assert await other

    with_client(engine, scenario)


def test_rows_that_a_wide_beam_cannot_use_yet_are_lent_to_others(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        running = submit(max_tokens=LONG)
        await rows_become(engine, 1)
        wide, narrow = submit(beam_size=4), submit(max_tokens=LONG)
        await started(wide, narrow)
        engine.go()
        await rows_become(engine, 2)  # running and narrow
        assert (client.waiting, client.rows_in_use) == (1, 2)
        engine.go(3 * LONG)
        await asyncio.gather(running, narrow, wide)

    with_client(engine, scenario)


def test_rows_in_use_return_to_zero_at_the_step_after_all_callers_have_gone(
    engine: SteppedEngine,
) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        leaving = [submit(LONG, beam_size=2) for _ in range(2)]
        await started(*leaving)
        await rows_become(engine, 4)
        assert client.rows_in_use == 4
        steps = engine.steps
        for task in leaving:
            task.cancel()
        await asyncio.wait(leaving)
        engine.go()
        await becomes(lambda: not client.rows_in_use)
        assert engine.steps == client.steps == steps

    with_client(engine, scenario)


def test_the_last_ones_of_a_crowd_that_leaves_are_waited_for(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        crowd = [submit(max_tokens=LONG) for _ in range(20)]
        await rows_become(engine, len(crowd))
        for task in crowd[:2]:
            task.cancel()
        engine.go()
        assert not engine.arrives(0.1)  # meanwhile this loop notices nothing
        for task in crowd[2:]:
            task.cancel()
        await asyncio.wait(crowd)
        await becomes(lambda: not client.rows_in_use)
        assert engine.steps == client.steps

    with_client(engine, scenario, max_rows=20, max_queue=20)


def test_one_of_many_that_leaves_holds_nobody_up(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        tasks = [submit(max_tokens=LONG) for _ in range(20)]
        await rows_become(engine, len(tasks))
        tasks[0].cancel()
        engine.go()
        assert engine.arrives(PATIENCE_SECONDS)  # while this loop is busy
        engine.go(LONG)
        await asyncio.wait(tasks)

    with_client(engine, scenario, max_rows=20, max_queue=20)


def test_tokens_are_told_as_soon_as_they_are_certain(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        told: list[Tokens] = []
        task = submit(max_tokens=3, on_tokens=told.append)
        for count in range(3):
            await engine.next_rows()
            assert told == [(TOKEN,)] * count
            engine.go()
        assert (await task)[0].tokens == (TOKEN,) * 3

    with_client(engine, scenario)


def test_what_is_told_of_a_beam_is_how_all_its_answers_begin() -> None:
    table = np.random.default_rng(5).dirichlet(np.full(VOCAB_SIZE, 0.2), VOCAB_SIZE) + 1e-6

    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        lengths = []
        for beam_size in range(1, 5):
            told: list[int] = []
            answer = await submit(max_tokens=12, beam_size=beam_size, on_tokens=told.extend)
            lengths.append(len(told))
            assert answer[0].tokens[: len(told)] == tuple(told)
        assert lengths[0] >= len(answer[0].tokens) - 1 > 0

    with_client(TableEngine(table), scenario)


def test_a_beam_wider_than_all_rows_is_refused_at_once(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        with pytest.raises(ValueError, match=r"Received: 5 rows"):
            await submit(beam_size=5)

    with_client(engine, scenario)


def test_a_failing_step_fails_its_requests_and_not_the_worker(
    engine: SteppedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        engine.failure = MemoryError("all gone")
        failing = submit()
        await engine.next_rows()
        waiting = submit()
        await started(waiting)
        engine.go()
        with pytest.raises(EngineError, match="the model failed"):
            await failing
        engine.failure = None
        engine.go()
        assert (await waiting)[0].tokens == (TOKEN,)
        assert client.is_alive

    with_client(engine, scenario, max_rows=1)
    assert "all gone" in caplog.text


def test_newcomers_that_cannot_be_read_fail_alone(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        running = submit(max_tokens=LONG)
        await engine.next_rows()
        engine.unreadable = True
        newcomer = submit()
        await started(newcomer)
        engine.go()
        while not newcomer.done():
            await engine.next_rows()
            await asyncio.sleep(0.01)
            engine.go()
        with pytest.raises(EngineError, match="the model failed"):
            await newcomer
        assert not running.done()
        engine.go(LONG)
        assert (await running)[0].tokens == (TOKEN,) * LONG

    with_client(engine, scenario)


def test_closing_tells_everybody_who_waits(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        running = submit(max_tokens=5)
        await engine.next_rows()
        waiting = submit()
        await started(waiting)
        closing = asyncio.create_task(client.close())
        for task in (running, waiting):
            with pytest.raises(Unavailable, match="is stopping"):
                await task
        with pytest.raises(Unavailable):
            await submit()
        engine.go()
        await closing
        assert not client.is_alive

    with_client(engine, scenario, max_rows=1)


def test_a_request_leaves_no_trace_on_either_side(engine: SteppedEngine) -> None:
    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        engine.go(1000)
        leaving, staying = submit(max_tokens=300), submit(max_tokens=2)
        await started(leaving, staying)
        leaving.cancel()
        assert await staying
        assert not client._jobs and not client.waiting
        assert isinstance(client._worker, ThreadWorker)
        worker = client._worker.worker
        await becomes(lambda: not worker._jobs)
        await becomes(lambda: not client.rows_in_use)
        assert all(lane.is_idle and not lane.rows_in_use for lane in worker._lanes)

    with_client(engine, scenario)


class SlowReader(SteppedEngine):
    """Reads sources only when it is told to, but for the first."""

    def __init__(self, table: NDArray[np.float64]) -> None:
        super().__init__(table)
        self.may_read = threading.Semaphore(1)
        self.has_read = threading.Semaphore(0)

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> Int32:
        assert self.may_read.acquire(timeout=PATIENCE_SECONDS)
        try:
            return super().encode(source_ids, source_lengths, use_shortlist)
        finally:
            self.has_read.release()


def test_who_leaves_while_a_source_is_read_takes_no_step() -> None:
    engine = SlowReader(loop(VOCAB_SIZE, TOKEN))

    async def scenario(client: WorkerClient, submit: SubmitTask) -> None:
        staying = submit(max_tokens=LONG)
        assert await engine.next_rows() == 1
        assert engine.has_read.acquire(timeout=PATIENCE_SECONDS)
        leaving = [submit(max_tokens=LONG) for _ in range(3)]
        await started(*leaving)
        engine.go()
        assert await engine.next_rows() == 1  # the others are being read now
        for task in leaving:
            task.cancel()
        engine.may_read.release()
        assert engine.has_read.acquire(timeout=PATIENCE_SECONDS)
        for _ in range(5):
            engine.go()
            assert await engine.next_rows() == 1
        engine.go(LONG)
        await staying

    with_client(engine, scenario)
