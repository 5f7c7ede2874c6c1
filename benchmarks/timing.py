"""Timing of engines that do the same work in turn, in seconds of CPU and of the clock."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from model.contract import Int32

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
        has_shortlist: whether it chooses among likely words only.
        cpu_clock: tells the seconds of CPU that the engine's process has used.
    """

    run: Run
    weights: int
    embeddings: int
    has_shortlist: bool = False
    cpu_clock: Callable[[], float] = time.process_time


@dataclass(frozen=True)
class Times:
    """Seconds of one run in each round."""

    cpu: list[float]
    wall: list[float]

    def cpu_ratio(self, other: Times) -> float:
        """Returns how many times the CPU of `other` this took, the median of their rounds."""
        return statistics.median(a / b for a, b in zip(self.cpu, other.cpu, strict=False))


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
    """Returns CPU and wall time of one run: the mean of as many as take `ENOUGH` CPU, as a server
    does one after the other. The first, which finds what another engine left in the caches, counts
    only if it takes as long by itself."""

    def timed(count: int) -> tuple[float, float]:
        cpu, wall = contestant.cpu_clock(), time.perf_counter()
        for _ in range(count):
            contestant.run(sources, beam_size)
        took = time.perf_counter() - wall
        return (contestant.cpu_clock() - cpu) / count, took / count

    first = timed(1)
    return first if first[0] >= ENOUGH else timed(math.ceil(ENOUGH / first[0]))
