"""The application: wiring, no logic."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.api_keys import ApiKeys
from app.decoding.registry import ModelRegistry
from app.decoding.served_model import ServedModel, load_model
from app.middleware import ErrorBoundary, HeadAsGet, RequestLimits, install_error_handlers
from app.rate_limit import Rate, RateLimiter, RedisRateLimiter
from app.routes import health, openai, page, reply, responses, translate
from app.security import Authentication, with_bearer_keys
from app.settings import Settings, describe_ineffective
from app.telemetry import AccessLog, Metrics, Telemetry
from app.translation.files import FileStore

logger = logging.getLogger(__name__)


def create_app(
    settings: Settings,
    *,
    load: Callable[[Settings], ServedModel] = load_model,
    preloaded: ServedModel | None = None,
) -> FastAPI:
    """Builds the application. It loads the default model before it accepts requests.

    Args:
        load: loads the model that the settings name.
        preloaded: the default model, if it is already loaded.
    """

    app = _Application(
        title="seq2seq",
        description="Replies and translations by neural networks.",
        lifespan=_lifespan,
        docs_url=None,  # `page` serves it without files from other hosts
        redoc_url=None,
        redirect_slashes=False,  # a redirect would repeat the Host header of the client
    )
    app.state.settings = settings
    app.state.files = FileStore()
    app.state.models = ModelRegistry(settings, load, preloaded)
    app.state.metrics = Metrics(app.state.models)
    app.state.is_stopping = False
    app.state.rate_limiter = _rate_limiter(settings)
    _add_middleware(app, settings)
    install_error_handlers(app)
    # `include_router` wraps each route again and matches `/docs` before `/reply`, which together
    # takes a fifth of the framework's time per request.
    routers = (
        reply.router,
        openai.router,
        openai.models_router,
        responses.router,
        translate.text_router,
        translate.router,
        health.router,
        page.router,
    )
    app.router.routes[:0] = [route for router in routers for route in router.routes]
    app.router.routes += page.static_routes()
    return app


class _Application(FastAPI):
    """An application whose description says how to send a key, if it requires one."""

    def openapi(self) -> dict[str, Any]:
        """Returns the OpenAPI description."""
        schema = super().openapi()
        return with_bearer_keys(schema) if self.state.settings.api_keys is not None else schema


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    for warning in describe_ineffective(app.state.settings):
        logger.warning("%s", warning)
    if app.state.api_keys is not None:
        app.state.api_keys.warn_if_empty()
    await app.state.models.open()
    try:
        yield
    finally:
        await app.state.models.close()
        if app.state.rate_limiter is not None:
            await app.state.rate_limiter.close()


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Adds what each request passes; the last one added is the outermost."""
    app.add_middleware(HeadAsGet)
    app.state.api_keys = None
    if settings.api_keys is not None:
        app.state.api_keys = ApiKeys(settings.api_keys)
        app.add_middleware(Authentication, keys=app.state.api_keys)
    app.add_middleware(
        RequestLimits,
        max_body_bytes=settings.max_body_bytes,
        max_file_bytes=settings.max_file_bytes,
    )
    app.add_middleware(ErrorBoundary)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[*map(str.strip, settings.cors_origins.split(","))],
            allow_methods=["GET", "POST"],
            allow_headers=["*"],  # OpenAI's client sends a dozen of its own
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    access_log = AccessLog(settings.log_format) if settings.access_log else None
    app.add_middleware(Telemetry, metrics=app.state.metrics, access_log=access_log)


def _rate_limiter(settings: Settings) -> RateLimiter | None:
    if not settings.rate_limit_per_minute:
        return None
    rate = Rate(settings.rate_limit_per_minute, settings.rate_limit_burst)
    if settings.redis_url is None:
        return RateLimiter(rate)
    return RedisRateLimiter(rate, settings.redis_url)
