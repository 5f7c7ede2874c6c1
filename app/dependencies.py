"""Dependencies of routes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar, cast

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.decoding.admission import MAX_PLAIN_COST, cost_of
from app.decoding.registry import ModelRegistry
from app.errors import RateLimited
from app.rate_limit import RateLimiter
from app.security import client_of
from app.settings import Settings
from model.search.requests import SearchRequest

T = TypeVar("T")


def models_of(request: Request) -> ModelRegistry:
    """Returns the models by name."""
    models: ModelRegistry = request.app.state.models
    return models


def settings_of(request: Request) -> Settings:
    """Returns the server's settings."""
    settings: Settings = request.app.state.settings
    return settings


async def charge(request: Request, searches: Iterable[SearchRequest], times: int = 1) -> None:
    """Charges the client for `searches`, `times` over.

    Raises:
        RateLimited: if that exceeds its rate limit.
    """
    if request.app.state.rate_limiter is not None:
        units = sum(max(1.0, cost_of(search) / MAX_PLAIN_COST) for search in searches)
        await charge_units(request, units * times)


async def charge_units(request: Request, units: float) -> None:
    """Charges the client for this many plain requests.

    Raises:
        RateLimited: if that exceeds its rate limit.
    """
    limiter: RateLimiter | None = request.app.state.rate_limiter
    if limiter is not None and (wait := await limiter.take(client_of(request.scope), units)):
        raise RateLimited(wait)


async def cancel_on_disconnect(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of `work`, which is cancelled at once if the client disconnects first.

    Args:
        receive: `receive` of the request, whose body has been read.
        work: computes the answer.

    Raises:
        ClientDisconnect: if the client disconnected.
    """
    caller = cast("asyncio.Task[Any]", asyncio.current_task())
    has_disconnected = False

    async def watch() -> None:
        nonlocal has_disconnected
        while (await receive())["type"] != "http.disconnect":
            pass
        has_disconnected = caller.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if has_disconnected and not caller.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        watcher.cancel()
