"""Execution of one job on many tasks, on the machines of a Ray cluster. Knows nothing of corpora.

Ray is optional and loaded only here: it comes with the extra `ray`.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import Any

from model.errors import ConfigError
from training.errors import CorpusError
from training.prepare.parallel import QUEUED, Result, Task, results_in_order

#: Retries of a task whose node or process is lost. A task that kills each of its processes, for
#: example by running out of memory, ends the run.
RETRIES = 5
CONNECT_SECONDS = 10.0


class Cluster:
    """The Ray cluster that this process is connected to.

    Attributes:
        shares: number of tasks done by each node, for each call of `run_all`.
    """

    def __init__(self) -> None:
        self.shares: list[Counter[str]] = []

    def run_all(self, job: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yields the result of `job` for each task, in order, as `parallel.run_all` does.

        Args:
            job: sent to each process once, which keeps the lazily loaded members of the job.
            tasks: consumed as results arrive, never far ahead. Nodes may join and leave.

        Raises:
            CorpusError: if a task was lost too often, or what `job` raises.
        """
        import ray

        share: Counter[str] = Counter()
        self.shares.append(share)
        reference = ray.put(job)
        run = ray.remote(max_retries=RETRIES)(_run).remote

        def wait(running: Any) -> Result:
            node, result = ray.get(running)
            share[node] += 1
            return result

        def submit(task: Task) -> Callable[[], Result]:
            return partial(wait, run([reference], task))  # in a list: not resolved for each task

        try:
            yield from results_in_order(submit, tasks, _max_queued)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise CorpusError(
                f"a task was lost {RETRIES + 1} times, perhaps because memory ran out "
                f"({_first_line(error)}). The same command resumes from here."
            ) from None


@contextmanager
def connect(address: str | None) -> Iterator[Cluster]:
    """Connects to a Ray cluster; tasks that still run are cancelled when the context ends.

    Args:
        address: HOST:PORT of its head; None: RAY_ADDRESS, or a cluster on this machine, else starts
            one here.

    Raises:
        ConfigError: if Ray is not installed or there is no cluster.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to Ray's makers
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "--executor ray needs the package 'ray'; install the extra 'ray': "
            "pip install '.[ray]' in the root of the repository"
        ) from None
    place = address or os.environ.get("RAY_ADDRESS", "")
    try:
        _check_listener(place)
        ray.init(address, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"--address {place}: no usable Ray cluster there ({_first_line(error)}). Start "
            "the command on one of its machines, with the HOST:PORT of its head, and "
            "RAY_AUTH_MODE=token if it has a token."
        ) from None
    try:
        yield Cluster()
    finally:
        ray.shutdown()


def _check_listener(address: str) -> None:
    """Raises an OSError if nothing listens at HOST:PORT: Ray would retry for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


def _max_queued() -> int:
    """Returns how many tasks may be queued for the current nodes."""
    import ray

    return QUEUED * max(1, int(ray.cluster_resources().get("CPU", 0)))


def _run(references: list[Any], task: Any) -> tuple[str, Any]:
    """Runs a task in a process of the cluster. Returns the name of the node, and the result."""
    import ray

    node = f"{socket.gethostname()}/{ray.get_runtime_context().get_node_id()[:6]}"
    return node, _job_of(*references)(task)


@lru_cache(maxsize=1)
def _job_of(reference: Any) -> Callable[[Any], Any]:
    import ray

    job: Callable[[Any], Any] = ray.get(reference)
    return job


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
