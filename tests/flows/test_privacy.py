"""What runs here talks to nobody, and leaves nothing in a home folder."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_SECONDS, wait_until

STRACE = shutil.which("strace")

#: An address of an Internet protocol in a call of `connect`, and its port.
CONNECT = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|AF_INET6, )"([^"]+)"')

ANSWER = """
from model.generator import Generator
print(Generator.load({folder!r}, {engine!r}).generate(["hello"])[0][0].text)
"""


class Guard:
    """Runs programs whose home is an empty folder, and sees where they connect to."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self._calls = folder / "calls"
        hidden = ("KERAS_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
        hidden += ("ORT_DISABLE_TELEMETRY",)
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        self._environment = {**kept, "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """A Python process."""
        watch = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", str(self._calls)]
        return subprocess.Popen(
            [*(watch if STRACE else []), sys.executable, *arguments],
            env={**self._environment, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str) -> None:
        """Runs a Python process to its end."""
        with self.start(*arguments) as process:
            printed, _ = process.communicate(b"hello\n", timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, printed.decode()

    def check(self) -> None:
        """That no file was left, and nobody called, a local resolver included."""
        assert [str(each) for each in self.home.rglob("*")] == []
        calls = self._calls.read_text() if STRACE else ""
        found = [(address, port) for port, address in CONNECT.findall(calls)]
        assert [
            each for each in found if each[0] not in ("127.0.0.1", "::1") or each[1] == "53"
        ] == []


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path)


@pytest.mark.parametrize("engine", ["auto", "onnx", "onnx-int8", "keras"])
def test_an_engine_talks_to_nobody(guard: Guard, exported_folder: Path, engine: str) -> None:
    guard.run("-c", ANSWER.format(folder=str(exported_folder), engine=engine))
    guard.check()


def test_answers_offline_talk_to_nobody(guard: Guard, exported_folder: Path) -> None:
    guard.run("-m", "model", "reply", str(exported_folder))
    guard.check()


def test_a_server_talks_to_nobody(guard: Guard, exported_folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"SEQ2SEQ_MODEL": str(exported_folder), "SEQ2SEQ_PORT": str(port)}
    with guard.start("-m", "app", **settings) as process, ending(process):
        wait_until(lambda: process.poll() is not None or is_ready(port), pause_seconds=0.05)
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{port}/reply"
        urllib.request.urlopen(urllib.request.Request(url, b'{"message":"hello"}', headers)).close()
    guard.check()


@contextmanager
def ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ends the server, and with it `strace`, which passes no signals on."""
    try:
        yield
    finally:
        pid = process.pid
        if STRACE:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            pid = int(children[0]) if children else pid
        os.kill(pid, signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready"):
            return True
    except OSError:
        return False


def test_the_guard_sees_who_calls(guard: Guard) -> None:
    """That the tests above can fail."""
    program = """
import pathlib, socket
pathlib.Path.home().joinpath("file").touch()
caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
caller.connect(("192.0.2.1", 53))
"""
    guard.run("-c", program)
    with pytest.raises(AssertionError, match="file"):
        guard.check()
    guard.home.joinpath("file").unlink()
    if STRACE:
        with pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
            guard.check()
