from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from model.errors import FolderError
from tests.conftest import PATIENCE_SECONDS


def test_the_front_door_leads_to_the_docs(client: httpx.Client) -> None:
    answer = client.get("/", follow_redirects=True)
    assert answer.status_code == 200
    assert "swagger" in answer.text


def test_the_description_shows_examples_and_errors(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/reply"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    assert set(content["examples"]) == {"message", "dialogue", "candidates", "draws"}
    assert {"200", "413", "422", "503", "504"} <= set(operation["responses"])
    schema = operation["responses"]["422"]["content"]["application/json"]["schema"]
    assert schema["$ref"].endswith("/ErrorAnswer")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/nowhere", 404, "not_found"), ("GET", "/reply", 405, "method_not_allowed")],
)
def test_errors_of_routing_have_the_same_shape(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code


def test_an_application_does_not_start_without_its_model(tmp_path: Path) -> None:
    app = create_app(Settings(model=tmp_path / "absent"))

    async def start() -> None:
        async with app.app.router.lifespan_context(app.app):
            pass

    with pytest.raises(FolderError, match="absent"):
        asyncio.run(start())


def test_an_absent_folder_stops_the_program_with_one_sentence(tmp_path: Path) -> None:
    environment = {**os.environ, "SEQ2SEQ_MODEL": str(tmp_path / "absent")}
    done = subprocess.run(
        [sys.executable, "-m", "app"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "absent: there is no such model folder" in done.stderr
