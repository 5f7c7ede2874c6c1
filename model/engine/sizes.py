"""The few static sizes to which numbers of rows and tokens are rounded for compilers."""

from __future__ import annotations

#: The smallest size, and the factor between sizes. On a GPU, fewer rows would take just as long.
MIN_SIZE, GROWTH = 16, 4


def round_up(count: int, limit: int = 0) -> int:
    """Returns the static size for `count`: 16, 64, 256 ..., capped at `limit` unless `count` itself
    exceeds it."""
    size = MIN_SIZE
    while size < count:
        size *= GROWTH
    return limit if count <= limit < size else size


def sizes_up_to(limit: int) -> list[int]:
    """Returns all static sizes for counts up to `limit`."""
    return sorted({round_up(count, limit) for count in range(1, limit + 1)})
