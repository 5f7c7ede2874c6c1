"""A fleet of replicas through a day: arrivals by the hour, an autoscaler, and replicas that fail.

Requests are too many to simulate one by one: every few seconds the fleet gets its arrivals, and
what exceeds its capacity waits, and is refused beyond what the queues hold.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import simpy

DAY = 86_400
TICK = 5.0
#: When a burst begins, and when replicas are lost together.
BURST, LOSS = 20 * 3600, 20.5 * 3600
#: Share of a day's peak at which requests arrive, by the hour: few at night, most in the evening.
HOURS = (
    *(0.35, 0.25, 0.18, 0.15, 0.15, 0.18, 0.28, 0.42, 0.55, 0.62, 0.66, 0.70),
    *(0.72, 0.70, 0.68, 0.68, 0.72, 0.80, 0.90, 0.97, 1.00, 0.92, 0.75, 0.52),
)


@dataclass(frozen=True)
class Plan:
    """How a fleet is run.

    Attributes:
        peak: arrivals a second in the busiest hour.
        capacity: replies a second of one replica.
        room: requests that a replica has at most, in search and in its queue.
        target: share of the capacity that the autoscaler aims at.
        start_seconds: from the decision to a replica that is ready: node, image, model.
        period_seconds: between two decisions.
        failures_per_day: of one replica.
        burst: factor of arrivals for five minutes, once in the busiest hour.
        lost: share of the replicas that fail together, once in the busiest hour.
        least: replicas at night.
    """

    peak: float
    capacity: float
    room: int
    target: float = 0.6
    start_seconds: float = 60.0
    period_seconds: float = 15.0
    failures_per_day: float = 0.1
    burst: float = 1.5
    lost: float = 0.0
    least: int = 2


@dataclass
class Day:
    """What became of a day's requests.

    Attributes:
        answered: replies.
        refused: requests beyond what the queues hold.
        replica_seconds: that were paid for.
        longest_wait: seconds in a queue, at worst.
        replicas: in service, at each tick.
    """

    answered: float = 0.0
    refused: float = 0.0
    replica_seconds: float = 0.0
    longest_wait: float = 0.0
    replicas: list[int] = field(default_factory=list)


class Fleet:
    """Replicas in a simulation of one day."""

    def __init__(self, plan: Plan, seed: int = 1) -> None:
        self.day = Day()
        self._plan = plan
        self._draw = random.Random(seed)
        self._world = simpy.Environment()
        self._waiting = 0.0
        self._ready = max(plan.least, math.ceil(self._arrivals() / plan.capacity / plan.target))
        self._starting = 0

    def run(self) -> Day:
        """Simulates the day."""
        self._world.process(self._serve())
        self._world.process(self._scale())
        self._world.run(until=DAY)
        return self.day

    def _arrivals(self) -> float:
        """Returns the requests a second now: hours run into each other."""
        hour, share = divmod(self._world.now / 3600, 1)
        first, second = (HOURS[(int(hour) + each) % 24] for each in (0, 1))
        is_burst = BURST <= self._world.now < BURST + 300
        factor = self._plan.burst if is_burst else 1.0
        return self._plan.peak * factor * ((1 - share) * first + share * second)

    def _serve(self) -> Iterator[simpy.Event]:
        plan, day = self._plan, self.day
        while True:
            yield self._world.timeout(TICK)
            self._fail()
            possible = self._ready * plan.capacity * TICK
            self._waiting += self._arrivals() * TICK
            answered = min(self._waiting, possible)
            self._waiting -= answered
            refused = max(0.0, self._waiting - self._ready * plan.room)
            self._waiting -= refused
            day.answered += answered
            day.refused += refused
            day.replica_seconds += (self._ready + self._starting) * TICK
            wait = self._waiting / max(1, self._ready) / plan.capacity
            day.longest_wait = max(day.longest_wait, wait)
            day.replicas.append(self._ready)

    def _fail(self) -> None:
        """Ends replicas; the platform starts others."""
        chance = self._plan.failures_per_day * TICK / DAY
        if LOSS <= self._world.now < LOSS + TICK:
            chance += self._plan.lost
        failed = sum(self._draw.random() < chance for _ in range(self._ready))
        self._ready -= failed
        for _ in range(failed):
            self._world.process(self._start())

    def _scale(self) -> Iterator[simpy.Event]:
        plan = self._plan
        while True:
            yield self._world.timeout(plan.period_seconds)
            load = self._arrivals() + self._waiting / plan.period_seconds
            wanted = max(plan.least, math.ceil(load / (plan.capacity * plan.target)))
            for _ in range(wanted - self._ready - self._starting):
                self._world.process(self._start())
            if wanted < self._ready:  # slowly: load comes back
                self._ready -= max(1, (self._ready - wanted) // 20)

    def _start(self) -> Iterator[simpy.Event]:
        self._starting += 1
        yield self._world.timeout(self._plan.start_seconds)
        self._starting -= 1
        self._ready += 1
