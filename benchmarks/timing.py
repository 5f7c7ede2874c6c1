"""Timing of engines that do the same work in turn, in seconds of CPU and of the clock."""

from __future__ import annotations

import math
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from model.types import Int32

#: Seconds of CPU that are worth measuring.
ENOUGH = 0.1

#: Answers sources `(batch, source_len)` with a beam of so many.
Run = Callable[[Int32, int], None]


@dataclass(frozen=True)
class Contestant:
    """An engine with its network.

    Attributes:
        run: answers sources.
        weights: parameters of the network.
        embeddings: how many of them are embeddings, of sources, targets and the projection.
        candidates: how many words its shortlist leaves, for print; empty if it chooses among all.
        cpu_clock: tells the seconds of CPU that the engine's process has used.
    """

    run: Run
    weights: int
    embeddings: int
    candidates: str = ""
    cpu_clock: Callable[[], float] = time.process_time


@dataclass(frozen=True)
class Times:
    """Seconds of a run in each round: of CPU, and of the clock where it was quickest."""

    cpu: list[float]
    wall: list[float]

    def cpu_ratio(self, other: Times) -> float:
        """Returns how many times the CPU of `other` this took, the median of their rounds."""
        return statistics.median(a / b for a, b in zip(self.cpu, other.cpu, strict=False))


def ask(process: subprocess.Popen[str], line: str = "") -> str:
    """Writes a line to a process. Returns the line that it answers, empty if it has ended."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process has no pipes")
    print(line, file=process.stdin, flush=True)
    return process.stdout.readline()


def measure(
    contestants: dict[str, Contestant], sources: Int32, beam_size: int, rounds: int
) -> dict[str, Times]:
    """Returns the times of all, in turn in each round, after a round that does not count."""
    times = {name: Times([], []) for name in contestants}
    for turn in range(rounds + 1):
        for name, contestant in contestants.items():
            cpu, wall = _seconds(contestant, sources, beam_size)
            if turn:
                times[name].cpu.append(cpu)
                times[name].wall.append(wall)
    return times


def _seconds(contestant: Contestant, sources: Int32, beam_size: int) -> tuple[float, float]:
    """Returns the CPU time of a run, the mean of as many as take `ENOUGH`, as a server does one
    after the other, and the wall time of the quickest of them. The first, which finds what another
    engine left in the caches, counts only if it takes as long by itself."""

    def timed(count: int) -> tuple[float, float]:
        cpu, walls = contestant.cpu_clock(), []
        for _ in range(count):
            start = time.perf_counter()
            contestant.run(sources, beam_size)
            walls.append(time.perf_counter() - start)
        return (contestant.cpu_clock() - cpu) / count, min(walls)

    first = timed(1)
    return first if first[0] >= ENOUGH else timed(math.ceil(ENOUGH / first[0]))
