"""What routes ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from app.errors import Unavailable
from app.registry import ServedModel
from app.settings import Settings

T = TypeVar("T")


def served_model(request: Request) -> ServedModel:
    """The model that answers.

    Raises:
        Unavailable: if it is not loaded yet.
    """
    model: ServedModel | None = getattr(request.app.state, "model", None)
    if model is None:
        raise Unavailable("the model is not loaded yet; try again later")
    return model


def settings_of(request: Request) -> Settings:
    """What the operator has set."""
    settings: Settings = request.app.state.settings
    return settings


async def unless_hung_up(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled if the client hangs up first. The request's body
    must have been read.

    Raises:
        ClientDisconnect: if the client hung up.
    """
    caller = asyncio.current_task()
    is_over = False

    def interrupt(watch: asyncio.Task[None]) -> None:
        if caller is not None and not is_over and not watch.cancelled():
            caller.cancel()

    watch = asyncio.create_task(_hang_up(request))
    watch.add_done_callback(interrupt)
    try:
        return await work
    except asyncio.CancelledError:
        if caller is not None and watch.done() and not caller.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        is_over = True
        watch.cancel()


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
