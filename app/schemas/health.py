"""Bodies of `/health`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Readiness(BaseModel):
    """State and load of a server that accepts requests."""

    status: Literal["ready"] = "ready"
    models: dict[str, Literal["ready", "restarting", "unloaded"]] = Field(
        description="state of each model; the next request to an unloaded model loads it"
    )
    waiting: int = Field(description="requests waiting for rows")
    rows_in_use: int = Field(description="rows reserved for the requests being decoded")
    steps: int = Field(description="decoder steps since the server started")
    compilations: int = Field(
        description="programs compiled, or graphs traced by TensorFlow, while requests waited; 0 "
        "on a GPU, where all are compiled in advance"
    )
