"""Who waits for rows of a search, and who is next. Knows no thread and no clock, and counts how
often it is asked."""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

#: Times that the first in line may be overtaken by others that fit beside it.
PATIENCE = 16


class Waiting(Protocol):
    """What stands in line."""

    @property
    def rows(self) -> int:
        """Rows that it needs."""

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for it any more."""


W = TypeVar("W", bound=Waiting)


class Line(Generic[W]):
    """First come, first served, with an exception.

    A request that needs more rows than are free lets those behind it that fit go ahead, so that no
    row stands empty for its sake; but only `patience` times. Then all rows that become free are
    kept for it. So one that is first waits for as many calls of `next` and the longest reply in
    search at most, and the others wait for its sake only until it has its rows.
    """

    def __init__(self, patience: int = PATIENCE) -> None:
        self._patience = patience
        self._waiting: deque[W] = deque()
        self._first: W | None = None
        self._times_first = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: W) -> None:
        """Lets one more stand at the end."""
        self._waiting.append(request)

    def next(self, free_rows: int) -> list[W]:
        """Takes off the line who joins the search, and who has gone away."""
        chosen = self._take(free_rows) if free_rows else []
        first = self._waiting[0] if self._waiting else None
        self._times_first = self._times_first + 1 if first is self._first else 1
        self._first = first
        return chosen

    def _take(self, free_rows: int) -> list[W]:
        chosen: list[W] = []
        staying: deque[W] = deque()
        for request in self._waiting:
            if request.is_abandoned:
                continue
            if request.rows <= free_rows and not (staying and self._keeps_rows(staying[0])):
                chosen.append(request)
                free_rows -= request.rows
            else:
                staying.append(request)
        self._waiting = staying
        return chosen

    def _keeps_rows(self, first: W) -> bool:
        return first is self._first and self._times_first >= self._patience
