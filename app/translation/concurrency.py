"""Work on many pieces at a time, without blocking the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


async def run_maybe_in_thread(is_long: bool, work: Callable[[*Ts], R], *arguments: *Ts) -> R:
    """Returns the result of `work` on `arguments`, which runs in a thread if `is_long`."""
    return await asyncio.to_thread(work, *arguments) if is_long else work(*arguments)


async def map_concurrently(work: Callable[[int], Awaitable[R]], count: int, window: int) -> list[R]:
    """Returns the results of `work(0)` to `work(count - 1)`, at most `window` at a time. If one
    fails, or the caller is cancelled, all end."""
    results: dict[int, R] = {}
    indices = iter(range(count))

    async def run_some() -> None:
        for index in indices:
            results[index] = await work(index)

    tasks = [asyncio.create_task(run_some()) for _ in range(min(window, count))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return [results[index] for index in range(count)]
