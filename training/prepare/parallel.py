"""Execution of one job on many tasks, in several processes. Knows nothing of corpora."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, TypeVar

from training.errors import CorpusError

#: Tasks queued per core: enough that no core is idle, few enough to keep in memory.
QUEUED = 2

Task = TypeVar("Task")
Result = TypeVar("Result")

_job: Callable[[Any], Any]


def run_all(job: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[Result]:
    """Yields the result of `job` for each task, in order.

    Args:
        job: sent to each process once, which keeps the lazily loaded members of the job.
        tasks: consumed as results arrive, never far ahead.
        workers: number of processes; 1 runs the job in this process.

    Raises:
        CorpusError: if a process cannot be started or was killed from outside, or what `job`
            raises.
    """
    if workers == 1:
        yield from map(job, tasks)
        return
    # Not forked: threads of Arrow and others may hold locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, _start, (job,))
    try:
        yield from results_in_order(
            lambda task: pool.submit(_run, task).result, tasks, lambda: QUEUED * workers
        )
    except OSError as error:
        if error.filename:
            raise
        raise CorpusError(
            f"processes cannot be started ({error.strerror or error}). `--workers 1` needs none."
        ) from None
    except BrokenProcessPool:
        raise CorpusError(
            "a process was killed, perhaps because memory ran out. The same command resumes "
            "from here; fewer `--workers` need less memory."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def results_in_order(
    submit: Callable[[Task], Callable[[], Result]],
    tasks: Iterable[Task],
    max_queued: Callable[[], int],
) -> Iterator[Result]:
    """Yields the result of each task, in order.

    Args:
        submit: starts a task and returns a function that waits for its result.
        tasks: consumed as results arrive.
        max_queued: returns how many tasks may be submitted before the first result.
    """
    pending: deque[Callable[[], Result]] = deque()
    for task in tasks:
        pending.append(submit(task))
        while len(pending) > max_queued():
            yield pending.popleft()()
    while pending:
        yield pending.popleft()()


def _start(job: Callable[[Any], Any]) -> None:
    global _job
    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    threading.Thread(target=_exit_with_parent, daemon=True).start()


def _exit_with_parent() -> None:
    """Makes this process exit with its parent: otherwise it would wait forever if that is
    killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _run(task: Any) -> Any:
    return _job(task)
