"""A replica as a discrete-event simulation: one core that an HTTP process and a decoding process
share.

A request costs the HTTP process a time before and after its reply. The decoding process takes steps
while it has requests. What arrives during a step is encoded during the next one, if others are in
search, and joins after it; requests leave between steps.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy

Process = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Costs:
    """What a replica's work costs, in seconds of one core.

    Attributes:
        requests: numbers of requests in search at which the costs were measured, ascending.
        http: of the HTTP process for a request, half of it before the reply, at each of `requests`.
        step: of a step, at each of `requests`; reading sources is a part of it.
        waiting: that a lone request takes beyond its costs: to wake processes, and the client.
        steps: of requests, of which one is drawn for each.
        room: requests that are in search together, at most.
    """

    requests: Sequence[float]
    http: Sequence[float]
    step: Sequence[float]
    waiting: float
    steps: Sequence[int]
    room: int

    def http_seconds(self, requests: int) -> float:
        """Returns what a request costs the HTTP process while so many are in search."""
        return float(np.interp(requests, self.requests, self.http))

    def step_seconds(self, requests: int) -> float:
        """Returns what a step of so many requests costs."""
        return float(np.interp(requests, self.requests, self.step))

    @property
    def capacity(self) -> float:
        """Returns the requests a second of a replica that is never idle."""
        steps = statistics.mean(self.steps)
        return 1.0 / (self.http[-1] + steps * self.step[-1] / self.requests[-1])


class Replica:
    """A replica in a simulation. `ask` is a process that ends with the reply."""

    def __init__(self, world: simpy.Environment, costs: Costs, draw: random.Random) -> None:
        self._world = world
        self._costs = costs
        self._draw = draw
        self._core = simpy.Resource(world)
        self._arrived: simpy.Store[_Asked] = simpy.Store(world)
        self._in_search: list[_Asked] = []
        world.process(self._decode())

    def ask(self) -> Process:
        """Sends a request and waits for its reply."""
        yield from self._work(self._http() / 2)
        asked = _Asked(self._draw.choice(self._costs.steps), self._world.event())
        self._arrived.put(asked)
        yield asked.is_done
        yield from self._work(self._http() / 2)
        yield self._world.timeout(self._costs.waiting)

    def _http(self) -> float:
        return self._costs.http_seconds(len(self._in_search))

    def _decode(self) -> Process:
        encoded: list[_Asked] = []
        while True:
            self._in_search += encoded
            encoded = []
            if not self._in_search:
                self._in_search.append((yield self._arrived.get()))
            while self._arrived.items and len(self._in_search) + len(encoded) < self._costs.room:
                encoded.append((yield self._arrived.get()))
            yield from self._work(self._costs.step_seconds(len(self._in_search)))
            for each in self._in_search:
                each.steps -= 1
                if not each.steps:
                    each.is_done.succeed()
            self._in_search = [each for each in self._in_search if each.steps]

    def _work(self, seconds: float) -> Process:
        with self._core.request() as turn:
            yield turn
            yield self._world.timeout(seconds)


@dataclass
class _Asked:
    steps: int
    is_done: Any


def latencies(costs: Costs, moments: Sequence[float], *, seed: int = 1) -> list[float]:
    """Simulates requests to one replica that arrive at `moments`, in seconds, ascending.

    Returns:
        the seconds of each, in the order in which they end.
    """
    world = simpy.Environment()
    replica = Replica(world, costs, random.Random(seed))
    found: list[float] = []

    def ask() -> Process:
        begin = world.now
        yield from replica.ask()
        found.append(world.now - begin)

    def arrive() -> Process:
        for moment in moments:
            yield world.timeout(moment - world.now)
            world.process(ask())

    world.process(arrive())
    world.run()
    return found
