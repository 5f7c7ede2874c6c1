"""Admission control: the cost of requests, the lane that decodes them, and the room in its queue.

A plain request takes a few milliseconds of worker time; the costliest one within the limits takes
seconds. Costly requests therefore have their own lane: rows, a queue, and a share of the worker's
time. Knows no thread and no clock.
"""

from __future__ import annotations

import math

from model.search.requests import MAX_TOP_K, Request, ScoringRequest

#: Requests that cost more go to the costly lane. A greedy reply of 64 tokens costs 64.
MAX_PLAIN_COST = 512.0

#: The top_k that doubles the cost of a step (measured: a step of 16 rows takes 0.55 ms with a top_k
#: of 4, 2.2 ms with 1,000, 6 ms with a vocabulary of 4,000).
TOP_K_PER_STEP = 300
#: Cost of returning the log-probabilities of wanted tokens, in steps.
WANTED_STEPS = 10.0

#: Interval over which throughput is measured.
THROUGHPUT_SECONDS = 1.0


def cost_of(request: Request) -> float:
    """Returns rows x tokens x the cost of the options, in steps of one row. This is an upper bound,
    since most replies end before `max_tokens`."""
    if isinstance(request, ScoringRequest):
        return float(sum(len(target_ids) + 1 for _, target_ids in request.pairs))
    options = request.options
    top_k = options.beam_size + len(request.blocked)
    if options.temperature > 0:
        top_k += options.top_k or MAX_TOP_K
    if options.repetition_penalty != 1.0 or options.no_repeat_ngram:
        top_k += options.max_tokens
    steps = options.max_tokens * (1 + top_k / TOP_K_PER_STEP)
    wanting = options.max_tokens if request.required else len(request.prefix_ids)
    return options.beam_size * (steps + wanting * WANTED_STEPS)


def is_costly(request: Request) -> bool:
    """Tells whether a request belongs to the costly lane."""
    return cost_of(request) > MAX_PLAIN_COST


class CostQueue:
    """Requests waiting for a lane, with their cost in units of `MAX_PLAIN_COST`, and the rate at
    which they leave while there are any.

    Args:
        max_queue: units at which the queue is full.
    """

    def __init__(self, max_queue: int) -> None:
        self._max_queue = max_queue
        self._units: dict[object, int] = {}
        self._total = 0
        self._rate = 0.0  # requests per second
        self._since, self._count = 0.0, 0  # of the current measurement

    def __len__(self) -> int:
        return len(self._units)

    def __contains__(self, key: object) -> bool:
        return key in self._units

    @property
    def is_full(self) -> bool:
        """Tells whether no further request may wait."""
        return self._total >= self._max_queue

    def capacity(self, cost: float) -> int:
        """Returns how many requests of this cost fill the queue, at least one."""
        return max(1, self._max_queue // _units_of(cost))

    def add(self, key: object, cost: float, now: float) -> None:
        """Adds a request at the time `now`."""
        if not self._units:
            self._since, self._count = now, 0
        self._units[key] = _units_of(cost)
        self._total += self._units[key]

    def discard(self, key: object) -> None:
        """Removes a request if it is present."""
        self._total -= self._units.pop(key, 0)

    def admit(self, key: object, now: float) -> None:
        """Removes a request, if it is present, that leaves for the lane at the time `now`."""
        if key not in self:
            return
        self.discard(key)
        self._count += 1
        if (elapsed := now - self._since) >= THROUGHPUT_SECONDS:
            self._rate = self._count / elapsed
            self._since, self._count = now, 0

    def estimate_seconds(self) -> float:
        """Returns the time until the queue is empty, in seconds; 0 if it is not known yet."""
        return len(self) / self._rate if self._rate else 0.0


def _units_of(cost: float) -> int:
    return max(1, math.ceil(cost / MAX_PLAIN_COST))
