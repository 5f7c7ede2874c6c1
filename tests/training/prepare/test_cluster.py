"""Jobs on a cluster of three nodes, which all run on this machine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model.errors import ConfigError
from tests.conftest import PATIENCE_SECONDS
from tests.training.prepare.test_parallel import die, square
from tests.training.prepare.test_resuming import contents, recipe_in, write_corpus
from training.errors import CorpusError
from training.prepare.cluster import Cluster, connect
from training.prepare.parallel import QUEUED
from training.prepare.prepare import prepare
from training.recipe_file import read_recipe

pytest.importorskip("ray", reason="needs the extra `ray`")

NODES = 3
#: Runs a command that is interrupted after the first result.
INTERRUPTED = """
import signal, sys
from training.__main__ import main
from training.prepare.cluster import Cluster

run_all = Cluster.run_all

def run_one(*arguments):
    results = run_all(*arguments)
    yield next(results)
    signal.raise_signal(signal.SIGINT)
    yield from results

Cluster.run_all = run_one
sys.exit(main(sys.argv[1:]))
"""
#: Runs a task that does not end.
ENDLESS = """
import sys
from tests.training.prepare.test_cluster import wait
from training.prepare.cluster import connect

with connect(sys.argv[1]) as cluster:
    list(cluster.run_all(wait, [sys.argv[2]]))
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    from ray.cluster_utils import Cluster as LocalCluster

    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    local = LocalCluster(initialize_head=True, head_node_args=small)
    for _ in range(NODES - 1):
        local.add_node(**small)
    local.wait_for_nodes()
    yield local
    local.shutdown()


@pytest.fixture(scope="module")
def cluster(nodes: Any) -> Iterator[Cluster]:
    with connect(nodes.address) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def alone(corpus: Path) -> dict[str, bytes]:
    """What one process makes of the corpus."""
    path = recipe_in(corpus, "alone")
    prepare(read_recipe(path), path, workers=1)
    return contents(corpus, "alone")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files of together one piece, and a large one of five, which nodes read in shares."""
    return write_corpus(tmp_path_factory.mktemp("corpus"), large=42_000)


@dataclass
class Counting:
    """A job that tells its process, and its number of calls there."""

    calls: int = 0

    def __call__(self, _: int) -> tuple[int, int]:
        self.calls += 1
        return os.getpid(), self.calls


@dataclass
class Halting:
    """A job whose first task on some node does not end, unless it is the node of this process.

    Attributes:
        job: what else to do.
        here: the node of this process.
        place: a file that gets the name of the node.
    """

    job: Callable[[Any], Any]
    here: str
    place: Path

    def __call__(self, task: Any) -> Any:
        import ray

        node = ray.get_runtime_context().get_node_id()
        if node != self.here:
            with suppress(FileExistsError):
                partial = self.place.with_name(node)
                partial.write_text(node)
                os.link(partial, self.place)
                threading.Event().wait()
        return self.job(task)


@dataclass
class Losing(Cluster):
    """A cluster that loses the node on which a task is halted."""

    nodes: Any
    place: Path

    def __post_init__(self) -> None:
        super().__init__()

    def run_all(self, job: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        import ray

        watcher = threading.Thread(target=self.remove_node)
        watcher.start()
        here = ray.get_runtime_context().get_node_id()
        yield from super().run_all(Halting(job, here, self.place), tasks)
        watcher.join()

    def remove_node(self) -> None:
        wait_until(self.place.exists)
        lost = self.place.read_text()
        for node in self.nodes.list_all_nodes():
            if node.node_id == lost:
                self.nodes.remove_node(node)


def wait_until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


def wait(place: str) -> None:
    Path(place).touch()
    threading.Event().wait()


def test_results_come_in_order(cluster: Cluster) -> None:
    assert list(cluster.run_all(square, range(30))) == [i * i for i in range(30)]


def test_tasks_are_not_read_far_ahead(cluster: Cluster) -> None:
    tasks = iter(range(1, 101))
    results = cluster.run_all(square, tasks)
    assert next(results) == 1
    assert next(tasks) <= QUEUED * NODES + 2
    list(results)


def test_a_process_keeps_what_the_job_has_loaded(cluster: Cluster) -> None:
    calls = list(cluster.run_all(Counting(), range(30)))
    assert os.getpid() not in {process for process, _ in calls}
    for process in {process for process, _ in calls}:
        numbers = sorted(number for other, number in calls if other == process)
        assert numbers == [*range(1, len(numbers) + 1)]


def test_an_error_of_the_job_arrives(cluster: Cluster) -> None:
    with pytest.raises(CorpusError, match=r"^a negative number$"):
        list(cluster.run_all(square, [1, -1]))


def test_a_task_that_takes_down_its_processes_is_explained(cluster: Cluster) -> None:
    with pytest.raises(CorpusError, match=r"lost 6 times.*The same command resumes"):
        list(cluster.run_all(die, [1]))


def test_an_interrupted_run_goes_on_and_tells_what_each_node_read(
    corpus: Path, alone: dict[str, bytes], nodes: Any
) -> None:
    path = recipe_in(corpus, "interrupted")
    command = ["prepare", str(path), "--executor", "ray", "--address", nodes.address]
    options: Any = {"capture_output": True, "text": True, "timeout": PATIENCE_SECONDS}
    stopped = subprocess.run([sys.executable, "-c", INTERRUPTED, *command], **options)
    *_, last = stopped.stderr.splitlines()  # Ray may log that a task was cancelled
    assert (stopped.returncode, last) == (130, "stopped; the same command resumes from here")
    ended = subprocess.run([sys.executable, "-m", "training", *command], **options)
    assert (ended.returncode, ended.stderr) == (0, "")
    [line] = [line for line in ended.stdout.splitlines() if line.startswith("read, pieces")]
    assert sum(map(int, re.findall(r"/\w+ (\d+)", line))) == 6
    assert contents(corpus, "interrupted") == alone


def test_tasks_end_with_a_run_that_is_interrupted(
    tmp_path: Path, nodes: Any, cluster: Cluster
) -> None:
    import ray

    place = tmp_path / "started"
    command = [sys.executable, "-c", ENDLESS, nodes.address, str(place)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_until(place.exists)
        assert ray.available_resources().get("CPU", 0) < NODES
        process.send_signal(signal.SIGINT)
    wait_until(lambda: ray.available_resources().get("CPU", 0) == NODES)


def test_a_run_that_loses_a_node_ends_with_the_bytes_of_one_process(
    corpus: Path, alone: dict[str, bytes], nodes: Any, cluster: Cluster
) -> None:
    path = recipe_in(corpus, "cluster")
    losing = Losing(nodes, corpus / "lost")
    prepare(read_recipe(path), path, cluster=losing)
    assert contents(corpus, "cluster") == alone
    lost = (corpus / "lost").read_text()
    read, tokenised = losing.shares
    assert sum(read.values()) == sum(tokenised.values()) == 6
    assert not any(name.endswith(lost[:6]) for name in tokenised)


def test_a_cluster_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"--address 127.0.0.1:1: no usable Ray cluster"):
        with connect("127.0.0.1:1"):
            pass
