"""A real server in a process of its own, and what it uses, for the benchmarks of serving."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.corpora import lines_of
from training.recipe_file import data_folder

PATIENCE_S = 600.0
#: Between two looks at a server that starts.
PAUSE_S = 0.01
MIB = 2**20

#: Where no corpus is at hand.
MESSAGES = (
    "Hi!",
    "How are you?",
    "What did you do last weekend?",
    "I went to see a film with my brother, but it was so long that we left before the end.",
    "Do you like football?",
    "My favourite singer has a new album out and I cannot stop listening to it, have you heard it?",
    "Tell me about yourself.",
    "Where shall we eat tonight? I would like something that is not too expensive.",
)


def messages(count: int) -> list[str]:
    """Returns turns of the test part of DailyDialog in random order, or a few written by hand where
    `SEQ2SEQ_DATA` has none; again and again until there are `count`."""
    path, turns = "dailydialog/dialogues_test.txt.gz", list(MESSAGES)
    if (data_folder() / path).is_file():
        turns = [turn.strip() for line in lines_of(path) for turn in line.split("__eou__")]
        turns = [turn for turn in turns if turn]
    random.Random(0).shuffle(turns)
    return [turns[place % len(turns)] for place in range(count)]


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes:
        port: where it listens, on this machine.
        process: its own; others may be children of it.
    """

    port: int
    process: subprocess.Popen[Any]

    @property
    def pid(self) -> int:
        """Returns the id of its process."""
        return self.process.pid

    def stop(self) -> int:
        """Stops it once it has answered what it was asked. Returns its exit code."""
        self.process.terminate()
        return self.process.wait()

    def state(self) -> dict[str, Any]:
        """Returns the body of `/health/ready`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready") as answer:
            state: dict[str, Any] = json.load(answer)
            return state

    def resident_bytes(self) -> int:
        """Returns the resident bytes of all its processes; pages that two of them share count
        twice."""
        return sum(resident_bytes(pid) for pid in self.pids())

    def cpu_seconds(self) -> tuple[float, float]:
        """Returns the seconds of CPU of the process that answers, and of those that decode."""
        seconds = [cpu_seconds(pid) for pid in self.pids()]
        return seconds[0], sum(seconds[1:])

    def pids(self) -> list[int]:
        """Returns the ids of the process that answers, and of its children, whichever thread has
        started them."""
        threads = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [self.pid, *(int(pid) for thread in threads for pid in thread.read_text().split())]


def cpu_seconds(pid: int) -> float:
    """Returns the seconds of CPU of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Returns the resident bytes of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running_server(model: str, **settings: object) -> Iterator[Server]:
    """Runs a server of `model` on a free port, for as long as the `with` lasts; yields it once it
    is ready."""
    server = start_server(model, free_port(), **settings)
    try:
        yield server
    finally:
        server.stop()


def start_server(model: str, port: int, **settings: object) -> Server:
    """Starts a server of `model`; returns it once it is ready."""
    named = {"MODEL": model, "PORT": port, **{key.upper(): each for key, each in settings.items()}}
    return _start(["app"], port, {f"SEQ2SEQ_{name}": str(value) for name, value in named.items()})


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(module: Sequence[str], port: int) -> Iterator[Server]:
    """Runs a Python module with its arguments, as a process that listens on `port`; yields it once
    it is ready."""
    server = _start(module, port, {})
    try:
        yield server
    finally:
        server.stop()


def _start(module: Sequence[str], port: int, environment: Mapping[str, str]) -> Server:
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    server = Server(port, process)
    try:
        _wait_until_ready(server)
    except BaseException:
        server.stop()
        raise
    return server


def _wait_until_ready(server: Server) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up and server.process.poll() is None:
        try:
            server.state()
            return
        except OSError:
            time.sleep(PAUSE_S)
    raise SystemExit(f"the server did not start (exit code {server.process.poll()})")
