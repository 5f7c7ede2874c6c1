"""`GET /health/live` and `GET /health/ready`."""

from __future__ import annotations

from fastapi import APIRouter, Request

from app.dependencies import served_model
from app.errors import Unavailable
from app.schemas.health import Readiness

router = APIRouter(prefix="/health", tags=["health"])


@router.head("/live", include_in_schema=False)
@router.get("/live")
async def live() -> dict[str, str]:
    """Answers as long as the process runs."""
    return {"status": "live"}


@router.head("/ready", include_in_schema=False)
@router.get("/ready")
async def ready(request: Request) -> Readiness:
    """Answers 200 if the model is loaded and its worker takes requests; 503 otherwise."""
    model = served_model(request)
    if not all(each.is_alive for each in model.clients):
        raise Unavailable("the model's process has died; if it does not come back, see the log")
    client = model.client
    return Readiness(waiting=client.waiting, rows_in_use=client.rows_in_use, steps=client.steps)
