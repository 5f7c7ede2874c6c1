"""Is the process alive, and does it answer?"""

from __future__ import annotations

from fastapi import APIRouter

from app.dependencies import Model
from app.errors import Unavailable

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process runs."""
    return {"status": "live"}


@router.get("/ready")
async def ready(model: Model) -> dict[str, str]:
    """The model is loaded and its worker takes requests; 503 otherwise."""
    if not model.scheduler.is_alive:
        raise Unavailable("the model's worker has stopped; restart the server")
    return {"status": "ready"}
