"""Two replicas behind HAProxy: what is lost when they are restarted, lose a process, or go.

    python -m benchmarks.replicas [--model models/default] [--rounds 1] [--requests 8000]

HAProxy, which must be installed, runs `deploy/haproxy/haproxy.cfg`, which has no retries. A round
has three runs: while one replica after the other is stopped and started anew, while the decoding
process of one or the other is killed, and while one of them is stopped for good. Before each run 64
clients show what one replica can answer; in it requests come at random moments, 60 % as many as two
can. While one is away, that is a fifth more than the other can: what comes waits in its queue.
Anything but status 200 has failed, and a replica that ends with another exit code than 0 ends the
benchmark.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import numpy as np

from benchmarks.load import Answer, Load, closed_loop, open_loop, request_bytes
from benchmarks.server import PATIENCE_S, free_port, messages, start_server

CONFIG = Path(__file__).parents[1] / "deploy" / "haproxy" / "haproxy.cfg"
#: That of the proxy and those of the replicas, in `CONFIG`.
PORTS = ("8000", "8001", "8002")
SETTINGS = {
    "threads": 1,
    "access_log": 0,
    "drain_seconds": 5,  # longer than HAProxy takes to notice that a replica goes
    # Let requests wait for as long as they have.
    "max_queue": 10_000,
    "max_connections": 10_000,
}
CLIENTS = 64
CAPACITY_REQUESTS = 500
LOAD = 0.6  # of what both can answer
COLUMNS = "| while | times | a second | requests | failed | statuses | p50 ms | p99 ms | worst ms |"
#: Between the recovery of one replica and the next kill.
PAUSE_S = 5.0


class Replica:
    """A server that is stopped, and started anew on the same port.

    Attributes:
        port: where it listens.
        server: the one that runs now.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self.port = free_port()
        self.start()

    def start(self) -> None:
        """Returns once it is ready."""
        self.server = start_server(self._model, self.port, **SETTINGS)

    def stop(self) -> None:
        """Returns once it has ended."""
        if exit_code := self.server.stop():
            raise SystemExit(f"a replica ended with exit code {exit_code}")

    def kill_worker(self) -> None:
        """Kills the process that decodes; returns once another one is ready."""
        _, worker = self.server.pids()
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: worker not in self.server.pids() and is_ready(self.port))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--requests", type=int, default=8_000, help="of each run")
    chosen = parser.parse_args()
    if shutil.which("haproxy") is None:
        sys.exit("needs HAProxy: install the package `haproxy`")
    texts = messages(max(chosen.requests, CAPACITY_REQUESTS))
    requests = [request_bytes({"message": text}) for text in texts]
    with ExitStack() as stack:
        replicas = []
        for _ in range(2):
            replicas.append(Replica(chosen.model))
            stack.callback(replicas[-1].stop)
        port = stack.enter_context(running_haproxy([replica.port for replica in replicas]))
        closed_loop(port, requests[:200], 8)  # does not count
        print(COLUMNS + "\n" + "|---" * COLUMNS.count(" | ") + "|---|", flush=True)
        answers: list[Answer] = []
        for name, disturb in chosen.rounds * [*DISTURBANCES.items()]:
            alone = closed_loop(replicas[0].port, requests[:CAPACITY_REQUESTS], CLIENTS)
            rate = LOAD * len(replicas) * len(alone.answers) / alone.seconds
            load, times = disturbed(port, requests[: chosen.requests], rate, replicas, disturb)
            print(f"| {name} | {times} | {rate:.0f} | {figures(load.answers)} |", flush=True)
            print_faults(load)
            answers += load.answers
        print(f"| together | | | {figures(answers)} |")


def disturbed(
    port: int,
    requests: Sequence[bytes],
    rate: float,
    replicas: Sequence[Replica],
    disturb: Callable[[Sequence[Replica], Event], int],
) -> tuple[Load, int]:
    """Sends `requests`, so many a second, and disturbs the replicas meanwhile: how many times."""
    is_over = Event()
    with ThreadPoolExecutor(1) as thread:
        disturbing = thread.submit(disturb, replicas, is_over)
        try:
            load = open_loop(port, requests, rate, keep_bodies=True)
        finally:
            is_over.set()
        return load, disturbing.result()


def restart_in_turn(replicas: Sequence[Replica], is_over: Event) -> int:
    """Stops and starts one replica after the other until the load is over."""
    wait_for_load(replicas)
    times = 0
    while not is_over.is_set():
        replica = replicas[times % len(replicas)]
        replica.stop()
        replica.start()
        times += 1
    return times


def kill_workers(replicas: Sequence[Replica], is_over: Event) -> int:
    """Kills the worker of one replica after the other until the load is over."""
    wait_for_load(replicas)
    times = 0
    while not is_over.wait(PAUSE_S):
        replicas[times % len(replicas)].kill_worker()
        times += 1
    return times


def stop_one(replicas: Sequence[Replica], is_over: Event) -> int:
    """Stops the last replica; starts it again when the load is over."""
    wait_for_load(replicas)
    replicas[-1].stop()
    is_over.wait()
    replicas[-1].start()
    return 1


DISTURBANCES = {
    "replicas are restarted in turn": restart_in_turn,
    "workers are killed in turn": kill_workers,
    "one replica is stopped for good": stop_one,
}


def figures(answers: Sequence[Answer]) -> str:
    """Returns columns of the table."""
    statuses = Counter(answer.status for answer in answers)
    by_status = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
    times = 1000 * np.percentile([answer.seconds for answer in answers], [50, 99, 100])
    failed = len(answers) - statuses[200]
    return " | ".join(
        [f"{len(answers):,}", str(failed), by_status, *(f"{each:.0f}" for each in times)]
    )


def print_faults(load: Load) -> None:
    """Prints the codes of errors that the replicas answered, on standard error."""
    codes = (re.search(rb'"error":{"code":"(\w+)"', body) for body in load.bodies.values())
    if counts := Counter(code[1].decode() for code in codes if code):
        print(f"the replicas' errors: {dict(counts)}", file=sys.stderr, flush=True)


@contextmanager
def running_haproxy(replica_ports: Sequence[int]) -> Iterator[int]:
    """Runs HAProxy in front of the replicas, for as long as the `with` lasts; yields its port."""
    port = free_port()
    own = dict(zip(PORTS, (port, *replica_ports), strict=True))
    config = re.sub(r":(\d+)", lambda found: f":{own[found[1]]}", CONFIG.read_text())
    with TemporaryDirectory() as folder:
        path = Path(folder, CONFIG.name)
        path.write_text(config)
        process = subprocess.Popen(["haproxy", "-f", str(path)])
        try:
            wait_until(lambda: is_ready(port) or process.poll() is not None)
            yield port
        finally:
            process.terminate()
            process.wait()


def wait_for_load(replicas: Sequence[Replica]) -> None:
    """Waits until each replica decodes more than it has."""
    before = [replica.server.state()["steps"] for replica in replicas]
    wait_until(
        lambda: all(
            replica.server.state()["steps"] > steps
            for replica, steps in zip(replicas, before, strict=True)
        )
    )


def is_ready(port: int) -> bool:
    """Tells whether requests are taken there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready"):
            return True
    except OSError:
        return False


def wait_until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > give_up:
            raise SystemExit(f"nothing happened within {PATIENCE_S:g} seconds")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
