"""A replica as a discrete-event simulation: one core that an HTTP process and a decoding process
share.

A request costs the HTTP process a time before and after its reply. The decoding process takes steps
while it has requests; a step costs a time of its own and one for each row, and requests join and
leave between steps.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

#: Rows that are decoded together.
ROWS = 64

Process = Iterator[simpy.Event]


@dataclass(frozen=True)
class Costs:
    """What a replica's work costs, in seconds of one core.

    Attributes:
        http: of the HTTP process for a request, half of it before the reply.
        step: of a step, whatever its rows.
        row: of a row in a step; reading its source is a part of it.
        waiting: that a lone request takes beyond its costs: to wake processes, and the client.
        tokens: steps of replies, of which one is drawn for each request.
    """

    http: float
    step: float
    row: float
    waiting: float
    tokens: Sequence[int]

    @property
    def capacity(self) -> float:
        """Returns the requests a second of a replica that is never idle."""
        steps = sum(self.tokens) / len(self.tokens)
        return 1.0 / (self.http + steps * (self.step / ROWS + self.row))


class Replica:
    """A replica in a simulation. `ask` is a process that ends with the reply."""

    def __init__(self, world: simpy.Environment, costs: Costs, draw: random.Random) -> None:
        self._world = world
        self._costs = costs
        self._draw = draw
        self._core = simpy.Resource(world)
        self._arrived: simpy.Store[_Row] = simpy.Store(world)
        world.process(self._decode())

    def ask(self) -> Process:
        """Sends a request and waits for its reply."""
        yield from self._work(self._costs.http / 2)
        row = _Row(self._draw.choice(self._costs.tokens), self._world.event())
        self._arrived.put(row)
        yield row.is_done
        yield from self._work(self._costs.http / 2)
        yield self._world.timeout(self._costs.waiting)

    def _decode(self) -> Process:
        rows: list[_Row] = []
        while True:
            if not rows:
                rows.append((yield self._arrived.get()))
            while self._arrived.items and len(rows) < ROWS:
                rows.append((yield self._arrived.get()))
            yield from self._work(self._costs.step + self._costs.row * len(rows))
            for row in rows:
                row.steps -= 1
                if not row.steps:
                    row.is_done.succeed()
            rows = [row for row in rows if row.steps]

    def _work(self, seconds: float) -> Process:
        with self._core.request() as turn:
            yield turn
            yield self._world.timeout(seconds)


@dataclass
class _Row:
    steps: int
    is_done: Any


def latencies(
    costs: Costs, *, per_second: float, replicas: int, requests: int, seed: int = 1
) -> list[float]:
    """Simulates `requests` that arrive at random moments (Poisson), at a replica drawn for each.

    Returns:
        the seconds of each, ascending.
    """
    draw = random.Random(seed)
    world = simpy.Environment()
    fleet = [Replica(world, costs, draw) for _ in range(replicas)]
    found: list[float] = []

    def ask(replica: Replica) -> Process:
        begin = world.now
        yield from replica.ask()
        found.append(world.now - begin)

    def arrive() -> Process:
        for _ in range(requests):
            yield world.timeout(draw.expovariate(per_second))
            world.process(ask(draw.choice(fleet)))

    world.process(arrive())
    world.run()
    return sorted(found)
