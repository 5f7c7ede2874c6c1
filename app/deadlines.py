"""Time limits of requests. Knows no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.errors import DeadlineExceeded


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Cancels what is done within it after some time.

    Raises:
        DeadlineExceeded: if that happens.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DeadlineExceeded.after(seconds) from None
