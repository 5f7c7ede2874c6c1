"""What requests cost, and which of them wait and decode apart from the others.

A plain request takes some milliseconds of its worker, and the costliest within the limits takes
seconds. So costly ones have a lane of their own: rows, a queue, and a share of the worker's time.
Knows no thread and no clock.
"""

from __future__ import annotations

import math

from model.search.requests import SearchRequest
from model.search.sampling import MOST_DRAWN

#: A request that costs more goes into the costly lane. A greedy reply of 64 tokens costs 64.
MOST_PLAIN_COST = 512.0

#: Likeliest tokens that a step can tell in the time that it takes otherwise (measured: 16 rows take
#: 0.55 ms with 4 tokens told, 2.2 ms with 1,000, 6 ms with a vocabulary of 4,000).
TOLD_PER_STEP = 300
#: What it costs to be told of tokens however unlikely they are, in steps.
WANTED_STEPS = 10.0


def cost_of(request: SearchRequest) -> float:
    """Rows x tokens x what the options take, in steps of one row; an upper bound, since most
    replies end before `max_tokens`."""
    options = request.options
    told = options.beam_size + len(request.blocked)
    if options.temperature > 0:
        told += options.top_k or MOST_DRAWN
    if options.repetition_penalty != 1.0 or options.no_repeat_ngram:
        told += options.max_tokens
    steps = options.max_tokens * (1 + told / TOLD_PER_STEP)
    wanting = options.max_tokens if request.required else len(request.prefix_ids)
    return options.beam_size * (steps + wanting * WANTED_STEPS)


def is_costly(request: SearchRequest) -> bool:
    """Whether it belongs into the costly lane."""
    return cost_of(request) > MOST_PLAIN_COST


class Queue:
    """How much waits in a lane, in requests of the cost that is the most in the plain one.

    Args:
        max_queue: it is full from here on.
    """

    def __init__(self, max_queue: int) -> None:
        self._max_queue = max_queue
        self._waiting: dict[object, int] = {}
        self._length = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether no more may wait."""
        return self._length >= self._max_queue

    def add(self, key: object, cost: float) -> None:
        """One more waits."""
        self._waiting[key] = max(1, math.ceil(cost / MOST_PLAIN_COST))
        self._length += self._waiting[key]

    def discard(self, key: object) -> None:
        """It waits no more, if it did."""
        self._length -= self._waiting.pop(key, 0)
