"""Bodies of `/health`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Readiness(BaseModel):
    """The server takes requests, and the load that it has."""

    status: Literal["ready"] = "ready"
    models: dict[str, Literal["ready", "restarting", "unloaded"]] = Field(
        description="state of each model; one that is unloaded is loaded by the next request to it"
    )
    waiting: int = Field(description="requests that wait for rows")
    rows_in_use: int = Field(description="rows that requests in search may fill")
    steps: int = Field(description="steps of the decoder since the start")
    compilations: int = Field(
        description="programs that were compiled while requests waited, or graphs that TensorFlow "
        "traced; 0 on a GPU, where all are compiled before"
    )
