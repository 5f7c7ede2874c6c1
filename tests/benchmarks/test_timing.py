"""Times are told per run, by each contestant's own clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks.timing import Contestant, Times, measure

SOURCES = np.zeros((1, 20), np.int32)


@dataclass
class Clock:
    """Seconds, as runs pass them."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.perf_counter", clock)
    return clock


def contestant(wall: Clock, took: list[float]) -> Contestant:
    """Builds one whose runs take so many seconds, of them half on its own CPU clock; the last
    figure stays."""
    cpu, left = Clock(), list(took)

    def run(sources: object, beam_size: int) -> None:
        seconds = left.pop(0) if len(left) > 1 else left[0]
        wall.now += seconds
        cpu.now += seconds / 2

    return Contestant(run, 0, 0, cpu_clock=cpu)


def test_each_is_timed_by_its_own_cpu_clock(wall: Clock) -> None:
    both = {"slow": contestant(wall, [0.5]), "fast": contestant(wall, [0.25])}
    times = measure(both, SOURCES, beam_size=1, rounds=2)
    assert times == {
        "slow": Times([0.25, 0.25], [0.5, 0.5]),
        "fast": Times([0.125] * 2, [0.25] * 2),
    }
    assert times["slow"].cpu_ratio(times["fast"]) == 2


def test_the_first_round_does_not_count(wall: Clock) -> None:
    times = measure({"cold": contestant(wall, [8.0, 0.5])}, SOURCES, beam_size=1, rounds=1)
    assert times["cold"].wall == [0.5]


def test_short_runs_are_repeated_and_the_first_does_not_count(wall: Clock) -> None:
    runs = [0.5, 0.0625, 0.03125]
    times = measure({"short": contestant(wall, runs)}, SOURCES, beam_size=1, rounds=1)
    assert times["short"].wall == [0.03125]
