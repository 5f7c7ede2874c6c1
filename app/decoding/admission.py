"""What requests cost, which of them are decoded apart from the others, and which is admitted next.

A plain request takes some milliseconds of its worker, and the costliest within the limits takes
seconds. So costly ones have a lane of their own: rows, a queue, and a share of the worker's time.
Knows no thread and no clock.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Generic, Protocol, TypeVar

from model.config import MOST_DRAWN
from model.search.requests import Request, ScoringRequest

#: A request that costs more goes into the costly lane. A greedy reply of 64 tokens costs 64.
MOST_PLAIN_COST = 512.0

#: Likeliest tokens that take as long to return as the rest of a step (measured: a step of 16 rows
#: takes 0.55 ms with a top_k of 4, 2.2 ms with 1,000, 6 ms with a vocabulary of 4,000).
TOP_K_PER_STEP = 300
#: What it costs to return the log-probabilities of wanted tokens, in steps.
WANTED_STEPS = 10.0

#: Time over which throughput is measured.
THROUGHPUT_SECONDS = 1.0

#: Times that the first request of a queue may be overtaken by others that fit beside it.
PATIENCE = 16


def cost_of(request: Request) -> float:
    """Returns rows x tokens x the cost of the options, in steps of one row. This is an upper bound,
    since most replies end before `max_tokens`."""
    if isinstance(request, ScoringRequest):
        return float(sum(len(target_ids) + 1 for _, target_ids in request.pairs))
    options = request.options
    top_k = options.beam_size + len(request.blocked)
    if options.temperature > 0:
        top_k += options.top_k or MOST_DRAWN
    if options.repetition_penalty != 1.0 or options.no_repeat_ngram:
        top_k += options.max_tokens
    steps = options.max_tokens * (1 + top_k / TOP_K_PER_STEP)
    wanting = options.max_tokens if request.required else len(request.prefix_ids)
    return options.beam_size * (steps + wanting * WANTED_STEPS)


def is_costly(request: Request) -> bool:
    """Tells whether a request belongs into the costly lane."""
    return cost_of(request) > MOST_PLAIN_COST


class CostQueue:
    """The requests that wait for a lane, and their cost in units of `MOST_PLAIN_COST`.

    Args:
        max_queue: units at which the queue is full.
    """

    def __init__(self, max_queue: int) -> None:
        self._max_queue = max_queue
        self._units: dict[object, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return len(self._units)

    def __contains__(self, key: object) -> bool:
        return key in self._units

    @property
    def is_full(self) -> bool:
        """Tells whether no more requests may wait."""
        return self._total >= self._max_queue

    def add(self, key: object, cost: float) -> None:
        """Adds a request."""
        self._units[key] = max(1, math.ceil(cost / MOST_PLAIN_COST))
        self._total += self._units[key]

    def discard(self, key: object) -> bool:
        """Removes a request, if it is there. Tells whether it was."""
        units = self._units.pop(key, 0)
        self._total -= units
        return units > 0


class Throughput:
    """Requests that leave a queue in a second, while there are any. Knows no clock."""

    def __init__(self) -> None:
        self._rate = 0.0
        self._since = 0.0
        self._count = 0

    def start(self, now: float) -> None:
        """Begins to count at the time `now`: the queue was empty until then."""
        self._since, self._count = now, 0

    def add(self, now: float) -> None:
        """Counts a request that left the queue at the time `now`."""
        self._count += 1
        if (elapsed := now - self._since) >= THROUGHPUT_SECONDS:
            self._rate = self._count / elapsed
            self.start(now)

    def seconds_for(self, requests: int) -> float:
        """Returns how long as many requests take; 0 as long as nobody knows."""
        return requests / self._rate if self._rate else 0.0


class Waiting(Protocol):
    """A request that waits for rows."""

    @property
    def rows(self) -> int:
        """Returns the number of rows that it needs."""

    @property
    def is_abandoned(self) -> bool:
        """Tells whether it was cancelled."""


W = TypeVar("W", bound=Waiting)


class RequestQueue(Generic[W]):
    """First come, first served, with an exception.

    A request that needs more rows than are free lets smaller ones behind it overtake, so that no
    row is idle for its sake; but only `patience` times. Then all rows that become free are kept for
    it. So the first request waits for at most `patience` calls of `admit` and the longest reply in
    search, and the others wait for its sake only until it has its rows.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._waiting: deque[W] = deque()
        self._first: W | None = None
        self._times_first = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: W) -> None:
        """Appends a request."""
        self._waiting.append(request)

    def admit(self, free_rows: int) -> list[W]:
        """Removes and returns the requests that join the search; drops abandoned ones."""
        admitted = self._take(free_rows) if free_rows else []
        first = self._waiting[0] if self._waiting else None
        self._times_first = self._times_first + 1 if first is self._first else 1
        self._first = first
        return admitted

    def _take(self, free_rows: int) -> list[W]:
        taken: list[W] = []
        staying: deque[W] = deque()
        for request in self._waiting:
            if request.is_abandoned:
                continue
            if request.rows <= free_rows and not (staying and self._keeps_rows(staying[0])):
                taken.append(request)
                free_rows -= request.rows
            else:
                staying.append(request)
        self._waiting = staying
        return taken

    def _keeps_rows(self, first: W) -> bool:
        return first is self._first and self._times_first >= self._patience
