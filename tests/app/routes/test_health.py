from __future__ import annotations

import asyncio

import httpx

from app.main import create_app
from app.settings import Settings


def test_a_running_process_is_live(client: httpx.Client) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


def test_a_server_has_started_once_its_models_are_loaded(client: httpx.Client) -> None:
    answer = client.get("/health/startup")
    assert (answer.status_code, answer.json()) == (200, {"status": "started"})


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
