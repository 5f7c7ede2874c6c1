"""The few sizes to which a compiler that must know all shapes rounds numbers of rows and tokens."""

from __future__ import annotations

#: The smallest size; each other one is so many times as large as the one before. On a GPU fewer
#: rows would take as long.
SMALLEST_SIZE, GROWTH = 16, 4


def round_up(count: int, limit: int = 0) -> int:
    """Returns the static size for `count`: 16, 64, 256 ...; `limit` instead of those beyond it, and
    if `count` is beyond that itself, a larger one."""
    size = SMALLEST_SIZE
    while size < count:
        size *= GROWTH
    return limit if count <= limit < size else size


def sizes_up_to(limit: int) -> list[int]:
    """Returns all static sizes for counts up to `limit`."""
    return sorted({round_up(count, limit) for count in range(1, limit + 1)})
