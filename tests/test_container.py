"""What the image and Compose say of each other, and of the program in them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

import seq2seq
from app.settings import Settings, settings_table

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
SERVERS = {name: service for name, service in SERVICES.items() if "build" in service}


def test_the_image_runs_as_a_user_that_kubernetes_knows_not_to_be_root() -> None:
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]  # a name is refused under runAsNonRoot


def test_the_image_has_the_version_of_the_package() -> None:
    assert f"\nARG VERSION={seq2seq.__version__}\n" in DOCKERFILE


@pytest.mark.parametrize("status", [200, 503])
def test_the_health_check_asks_the_server_itself(status: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 404)
            self.end_headers()

    (command,) = re.findall(r"^HEALTHCHECK .*\n  CMD (.+)$", DOCKERFILE, re.MULTILINE)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        port = {"SEQ2SEQ_PORT": str(server.server_port)}
        proxy = {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}  # as Docker's client adds one
        _, *arguments = json.loads(command)
        checked = subprocess.run(
            [sys.executable, *arguments], env={**os.environ, **proxy, **port}, check=False
        )
        server.shutdown()
    assert (checked.returncode == 0) == (status == 200)


@pytest.mark.parametrize("image", re.findall(r"seq2seq:(\w+)", DOCKERFILE))
def test_each_image_has_a_lock(image: str) -> None:
    assert (ROOT / "requirements" / f"{image}.txt").exists()


def test_what_the_image_copies_is_sent_to_the_engine() -> None:
    copied = re.findall(r"^COPY (?!--)([\w/]+)", DOCKERFILE, re.MULTILINE)
    sent = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert {path.rstrip("/") for path in copied} == set(sent)


@pytest.mark.parametrize(
    ("profile", "services"),
    [
        ("cpu", {"seq2seq"}),
        ("gpu", {"seq2seq-gpu"}),
        ("monitored", {"seq2seq", "prometheus", "grafana"}),
    ],
)
def test_a_profile_starts_what_it_names_and_nothing_else(profile: str, services: set[str]) -> None:
    started = {n for n, each in SERVICES.items() if profile in each.get("profiles", [profile])}
    assert started == services


def test_without_a_profile_compose_serves_on_the_cpu() -> None:
    assert "\nCOMPOSE_PROFILES=cpu\n" in (ROOT / ".env").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_only(name: str) -> None:
    for port in SERVICES[name]["ports"]:
        assert port.startswith(("127.0.0.1:", "${BIND_ADDRESS:-127.0.0.1}:"))


@pytest.mark.parametrize("name", SERVERS)
def test_every_setting_reaches_the_server(name: str) -> None:
    own = {"SEQ2SEQ_HOST", "SEQ2SEQ_PORT"}
    assert {name for name, _, _ in settings_table()} - own <= SERVERS[name]["environment"].keys()


@pytest.mark.parametrize("name", SERVERS)
def test_compose_removes_no_setting_of_the_image(name: str) -> None:
    environment = SERVERS[name]["environment"]
    of_image = re.findall(r"^\s+(SEQ2SEQ_\w+)=", DOCKERFILE, re.MULTILINE)
    assert "SEQ2SEQ_MODELS" in of_image
    # Compose removes what has no value here and none in the shell.
    assert not [each for each in of_image if each in environment and environment[each] is None]


@pytest.mark.parametrize("name", SERVERS)
def test_compose_waits_until_requests_are_answered(name: str) -> None:
    grace = int(SERVERS[name]["stop_grace_period"].removesuffix("s"))
    assert grace >= Settings.model_fields["request_timeout_seconds"].default + 3  # for the worker


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
