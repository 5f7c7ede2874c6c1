"""The application: wiring, no logic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp

from app.errors import install_error_handlers
from app.middleware import BodyLimit, ErrorBoundary
from app.registry import LoadedModel, load_model, serve_model
from app.routes import health, reply
from app.routing import Shortcut
from app.settings import Settings


def create_app(
    settings: Settings, *, load: Callable[[Settings], LoadedModel] = load_model
) -> Shortcut:
    """The server's application. It loads its model before it takes the first request.

    Args:
        settings: limits, and where the model lies.
        load: opens the model.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loaded = await asyncio.to_thread(load, settings)
        app.state.model = await serve_model(loaded, settings)
        try:
            yield
        finally:
            await app.state.model.close()

    app = FastAPI(title="seq2seq", description="Replies by a neural network.", lifespan=lifespan)
    app.state.settings = settings
    app.add_middleware(BodyLimit, max_body_bytes=settings.max_body_bytes)
    app.add_middleware(ErrorBoundary)  # the last one added is the outermost
    install_error_handlers(app)
    app.include_router(reply.router)
    app.include_router(health.router)
    app.add_api_route("/", _to_docs, include_in_schema=False)

    def guard(inner: ASGIApp) -> ASGIApp:
        return ErrorBoundary(BodyLimit(inner, settings.max_body_bytes))

    return Shortcut(app, [reply.router], guard)


async def _to_docs() -> RedirectResponse:
    return RedirectResponse("/docs")
