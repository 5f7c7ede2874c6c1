"""The uvicorn server and its configuration."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
import signal
import socket
import time
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.datastructures import State
from starlette.types import ASGIApp

from app.decoding.registry import ModelRegistry
from app.logs import log_config
from app.protocol import HttpProtocol
from app.settings import Settings

logger = logging.getLogger(__name__)

#: Exit codes: cannot listen on the port; stopped by Ctrl-C while requests were open.
CANNOT_LISTEN, INTERRUPTED = 1, 130

#: Interval at which a draining server checks for another signal.
TICK_SECONDS = 0.1

#: Allocations before the garbage collector runs. With the default of 700 it runs several times
#: while a few hundred requests wait.
YOUNG_OBJECTS = 20_000


class Server(uvicorn.Server):
    """A server that answers all open requests before it ends, unless a worker hangs.

    After SIGTERM it still accepts requests for some time while it reports that it is not ready, so
    that load balancers can notice. A second signal ends that time; a second Ctrl-C ends the server
    and its workers at once, without a traceback for each open request.

    Args:
        config: configuration of uvicorn.
        state: state of the application.
        drain_seconds: time after SIGTERM in which requests are still accepted.
    """

    def __init__(self, config: uvicorn.Config, state: State, drain_seconds: float) -> None:
        super().__init__(config)
        self._state = state
        self._drain_seconds = drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Replaces uvicorn's handler, which raises the signal again at the end.
        if self.should_exit and sig == signal.SIGINT:
            self._models.kill()
            os._exit(INTERRUPTED)
        if sig != signal.SIGTERM or self.should_exit:
            self._drain_seconds = 0.0
        self.should_exit = True

    async def main_loop(self) -> None:
        await super().main_loop()
        self._state.is_stopping = True
        started = time.monotonic()
        while time.monotonic() - started < self._drain_seconds:
            await asyncio.sleep(TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._models.expect_close()
        await super().shutdown(sockets)

    @property
    def _models(self) -> ModelRegistry:
        models: ModelRegistry = self._state.models
        return models


def config_of(app: ASGIApp, settings: Settings, **others: Any) -> uvicorn.Config:
    """Builds the configuration of uvicorn; `others` are options of uvicorn."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=HttpProtocol,
        ws="none",
        server_header=False,
        root_path=settings.root_path,
        access_log=False,  # `app.telemetry` logs requests
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=math.ceil(settings.request_timeout_seconds),
        **others,
    )


def serve(app: FastAPI, settings: Settings) -> int:
    """Serves until a signal arrives, then answers the open requests. Returns the exit code."""
    server = Server(
        config_of(app, settings, log_config=log_config(settings.log_format)),
        app.state,
        settings.drain_seconds,
    )
    gc.freeze()  # the garbage collector never scans what is already loaded
    gc.set_threshold(YOUNG_OBJECTS)
    try:
        with suppress(KeyboardInterrupt):
            server.run()
    except SystemExit as ended:
        if not ended.code:  # by a signal before the server has its own handler
            return 0
        address = f"{settings.host}, port {settings.port}"
        # uvicorn has logged why
        logger.error("cannot listen on %s: set SEQ2SEQ_HOST or SEQ2SEQ_PORT", address)
        return CANNOT_LISTEN
    return 0
