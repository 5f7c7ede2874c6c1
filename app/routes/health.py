"""Is the process alive, and does it answer?"""

from __future__ import annotations

from fastapi import APIRouter, Request

from app.dependencies import served_model
from app.errors import Unavailable
from app.schemas.health import Readiness

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process runs."""
    return {"status": "live"}


@router.get("/ready")
async def ready(request: Request) -> Readiness:
    """The model is loaded and its worker takes requests; 503 otherwise."""
    scheduler = served_model(request).scheduler
    if not scheduler.is_alive:
        raise Unavailable("the model's worker has stopped; restart the server")
    return Readiness(
        waiting=scheduler.waiting, rows_in_use=scheduler.rows_in_use, steps=scheduler.steps
    )
