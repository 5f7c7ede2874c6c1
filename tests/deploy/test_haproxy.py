"""What HAProxy's configuration says of the server. `python -m benchmarks.replicas` runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.routes import health
from app.settings import Settings

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


def test_the_proxy_waits_for_longer_than_a_request_may_take() -> None:
    (seconds,) = re.findall(r"timeout server (\d+)s", CONFIG)
    assert int(seconds) > Settings.model_fields["request_timeout_seconds"].default
