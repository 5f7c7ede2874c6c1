"""Dependencies of routes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.decoding.registry import ModelRegistry
from app.settings import Settings

T = TypeVar("T")


def models_of(request: Request) -> ModelRegistry:
    """Returns the models, by name."""
    models: ModelRegistry = request.app.state.models
    return models


def settings_of(request: Request) -> Settings:
    """Returns the server's settings."""
    settings: Settings = request.app.state.settings
    return settings


async def unless_hung_up(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of `work`, which is cancelled at once if the client hangs up first.

    Args:
        receive: of the request, whose body has been read.
        work: makes the answer.

    Raises:
        ClientDisconnect: if the client hung up.
    """
    caller = cast("asyncio.Task[Any]", asyncio.current_task())
    has_hung_up = False

    async def watch() -> None:
        nonlocal has_hung_up
        while (await receive())["type"] != "http.disconnect":
            pass
        has_hung_up = caller.cancel()

    watcher = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if has_hung_up and not caller.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        watcher.cancel()
