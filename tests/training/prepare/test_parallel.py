from __future__ import annotations

import os
import signal

import pytest

from training.errors import CorpusError
from training.prepare.parallel import run_all


def square(number: int) -> int:
    if number < 0:
        raise CorpusError("a negative number")
    return number * number


def process(_: int) -> int:
    return os.getpid()


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(workers: int) -> None:
    assert list(run_all(square, range(30), workers)) == [i * i for i in range(30)]


def test_tasks_are_not_read_far_ahead() -> None:
    tasks = iter(range(1, 101))
    results = run_all(square, tasks, 2)
    assert next(results) == 1
    assert next(tasks) < 10
    list(results)


def test_one_worker_is_this_process_and_more_are_others() -> None:
    assert set(run_all(process, range(3), 1)) == {os.getpid()}
    assert os.getpid() not in set(run_all(process, range(3), 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_the_job_arrives(workers: int) -> None:
    with pytest.raises(CorpusError, match="a negative number"):
        list(run_all(square, [1, -1], workers))


def test_a_killed_process_is_explained() -> None:
    with pytest.raises(CorpusError, match=r"killed.*--workers"):
        list(run_all(die, [1], 2))
