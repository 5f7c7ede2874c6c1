"""`GET /health/live`, `/health/startup` and `/health/ready`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from app.errors import Unavailable
from app.routing import models_of
from app.schemas.error import ErrorAnswer
from app.schemas.health import Readiness

_NOT_YET: dict[int | str, dict[str, Any]] = {
    503: {"model": ErrorAnswer, "description": "Not ready yet, or not at the moment."}
}

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """Answers while the process runs."""
    return {"status": "live"}


@router.get("/startup", responses=_NOT_YET)
async def startup(request: Request) -> dict[str, str]:
    """Answers 200 once all models are loaded, 503 before."""
    if not models_of(request).is_complete:
        raise Unavailable("models are being loaded")
    return {"status": "started"}


@router.get("/ready", responses=_NOT_YET)
async def ready(request: Request) -> Readiness:
    """Answers 200 if all models are loaded and the default one accepts requests; 503 otherwise and
    while the server is stopping."""
    if request.app.state.is_stopping:
        raise Unavailable("the server is stopping")
    models = models_of(request)
    if not models.default.is_alive:
        raise Unavailable("the model's process has died and is being restarted; see the log")
    if not models.is_complete:
        raise Unavailable("further models are being loaded")
    clients = [model.client for model in models.loaded()]
    return Readiness(
        models=models.states(),
        waiting=sum(client.waiting for client in clients),
        rows_in_use=sum(client.rows_in_use for client in clients),
        steps=sum(client.steps for client in clients),
        compilations=sum(client.compilations for client in clients),
    )
