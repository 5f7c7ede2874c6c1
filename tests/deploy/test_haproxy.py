"""What HAProxy's configuration says of the server. `python -m benchmarks.replicas` runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.routes import health, translate
from app.settings import Settings
from app.translation.files import LIFETIME_SECONDS

PATH = Path(__file__).parents[2] / "deploy" / "haproxy" / "haproxy.cfg"
CONFIG = PATH.read_text()


@pytest.mark.skipif(shutil.which("haproxy") is None, reason="needs haproxy")
def test_haproxy_accepts_the_configuration() -> None:
    command = ["haproxy", "-c", "-f", str(PATH)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_checks_ask_a_route_of_the_server() -> None:
    (path,) = re.findall(r"httpchk GET (\S+)", CONFIG)
    assert path in {route.path for route in health.router.routes}  # type: ignore[attr-defined]


def test_a_file_is_fetched_from_the_replica_that_has_translated_it() -> None:
    (rule,) = re.findall(r"stick on src if (.+)", CONFIG)
    routes = {route.path for route in translate.router.routes}  # type: ignore[attr-defined]
    for path in re.findall(r"/\w+", rule):
        assert path in routes or f"{path}/{{key}}" in routes
    (minutes,) = re.findall(r"stick-table .* expire (\d+)m", CONFIG)
    assert int(minutes) * 60 >= LIFETIME_SECONDS


def test_the_proxy_waits_for_longer_than_a_request_may_take() -> None:
    (seconds,) = re.findall(r"timeout server (\d+)s", CONFIG)
    assert int(seconds) > Settings.model_fields["request_timeout_seconds"].default
