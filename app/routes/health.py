"""For monitoring: `GET /health/live`, `/health/startup`, `/health/ready` and `/metrics`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder

from app.errors import Unavailable
from app.routing import models_of
from app.schemas.error import ErrorAnswer
from app.schemas.health import Readiness
from app.telemetry import Metrics

_NOT_YET: dict[int | str, dict[str, Any]] = {
    503: {"model": ErrorAnswer, "description": "Not ready yet, or not at the moment."}
}

router = APIRouter(tags=["health"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Answers while the process runs."""
    return {"status": "live"}


@router.get("/health/startup", responses=_NOT_YET)
async def startup(request: Request) -> dict[str, str]:
    """Answers 200 once all models are loaded, 503 before."""
    if not models_of(request).is_complete:
        raise Unavailable("models are being loaded")
    return {"status": "started"}


@router.get("/health/ready", responses=_NOT_YET)
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


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {CONTENT_TYPE_PLAIN_0_0_4: {}}}},
)
async def read_metrics(request: Request) -> Response:
    """Returns the metrics in Prometheus' format."""
    metrics: Metrics = request.app.state.metrics
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(metrics.registry), headers={"Content-Type": content_type})
