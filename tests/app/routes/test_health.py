from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from app import registry
from app.main import create_app
from app.scheduler import Scheduler
from app.settings import Settings
from tests.app.fakes import Serve, TableEngine


def test_a_running_process_is_live(client: httpx.Client) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


def test_a_loaded_model_is_ready(client: httpx.Client) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    busy = {name: answer.json()[name] for name in ("waiting", "rows_in_use")}
    assert answer.json()["status"] == "ready" and busy == {"waiting": 0, "rows_in_use": 0}


def test_without_its_model_a_server_is_not_ready() -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(Settings()))  # its lifespan does not begin
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/health/ready")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")


def test_a_dead_worker_is_not_ready(
    serve: Serve, table_engine: TableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedulers: list[Scheduler] = []

    def remembered(*args: Any, **options: Any) -> Scheduler:
        schedulers.append(Scheduler(*args, **options))
        return schedulers[-1]

    monkeypatch.setattr(registry, "Scheduler", remembered)
    with serve(table_engine) as client:
        schedulers[0].close()
        answer = client.get("/health/ready")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert client.get("/health/live").status_code == 200
        assert client.post("/reply", json={"message": "hello"}).status_code == 503
