"""What runs here talks to nobody, and leaves nothing in a home folder."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

#: For what hangs; a machine that is busy takes minutes.
LONGEST_SECONDS = 900
pytestmark = pytest.mark.timeout(2 * LONGEST_SECONDS)

#: Calls that reach for somebody, and an Internet address in one: its port, then the host.
WATCHED = "trace=connect,sendto,sendmsg,sendmmsg"
ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|AF_INET6, )"([^"]+)"')

ANSWER = """
from model.generator import Generator
print(Generator.load({folder!r}, {engine!r}).generate(["hello"])[0][0].text)
"""

#: Starts a server, asks it once and stops it.
SERVE = """
import contextlib, fcntl, socket, struct, subprocess, sys, time, urllib.request
with contextlib.suppress(OSError):  # without a network, the loopback device is down at first
    fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 1))
server = subprocess.Popen([sys.executable, "-m", "app"])
url, headers = "http://127.0.0.1:{port}", {{"Content-Type": "application/json"}}
while True:
    assert server.poll() is None, "the server ended"
    with contextlib.suppress(OSError):
        urllib.request.urlopen(url + "/health/ready").close()
        break
    time.sleep(0.05)
request = urllib.request.Request(url + "/reply", b'{{"message":"hello"}}', headers)
print(urllib.request.urlopen(request).read())
server.terminate()
server.wait()
"""

#: To repeat a line.
RECIPE = """
name = "echo"
task = "translate"
output = "{folder}"

[corpus]
dev_fraction = 0.2
test_fraction = 0.2
sources = [{{ format = "pairs", path = "pairs.tsv" }}]

[tokenizer]
type = "word"
vocab_size = 64

[network]
embedding_units = 8
encoder_units = 8
decoder_units = 16

[fit]
batch_tokens = 128
epochs = 1
"""


@cache
def has_strace() -> bool:
    return shutil.which("strace") is not None


@cache
def can_leave_the_network() -> bool:
    """Whether a process may have a network of its own, with nobody in it."""
    command = ["unshare", "--map-root-user", "--net", "true"]
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(command, capture_output=True).returncode == 0


class Guard:
    """Runs programs without a network, with an empty home, and sees whom they try to reach."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self._calls = str(folder / "calls")
        hidden = ["KERAS_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"]
        hidden += ["ORT_DISABLE_TELEMETRY"]
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        self._environment = {**kept, "HOME": str(self.home), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, *arguments: str, **settings: str) -> None:
        """Runs a Python process to its end."""
        alone = ["unshare", "--map-root-user", "--net"] if can_leave_the_network() else []
        watch = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", WATCHED, "-A", "-o", self._calls]
        process = subprocess.Popen(
            [*alone, *(watch if has_strace() else []), sys.executable, *arguments],
            env={**self._environment, **settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(b"hello\n", timeout=LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        assert process.returncode == 0, printed.decode()

    def reached_for(self) -> set[tuple[str, int]]:
        """Returns hosts and ports that programs tried to reach beyond this machine, and what they
        asked of its resolver."""
        found = {(host, int(port)) for port, host in ADDRESS.findall(Path(self._calls).read_text())}
        return {each for each in found if each[0] not in ("127.0.0.1", "::1") or each[1] == 53}

    def assert_nothing_left_or_sent(self) -> None:
        """Checks that no file was left and nobody was reached for. Skips the test where that could
        not be seen."""
        assert list(self.home.rglob("*")) == []
        if not has_strace():
            pytest.skip("no file was left, but strace is not here to watch connections")
        assert self.reached_for() == set()
        if not can_leave_the_network():
            pytest.skip("nothing was found, but with a network: unshare is not here or not allowed")


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    return Guard(tmp_path)


@pytest.mark.parametrize("engine", ["auto", "onnx", "onnx-int8", "keras"])
def test_an_engine_talks_to_nobody(guard: Guard, exported_folder: Path, engine: str) -> None:
    guard.run("-c", ANSWER.format(folder=str(exported_folder), engine=engine))
    guard.assert_nothing_left_or_sent()


def test_answers_offline_talk_to_nobody(guard: Guard, exported_folder: Path) -> None:
    guard.run("-m", "model", "reply", str(exported_folder))
    guard.assert_nothing_left_or_sent()


def test_training_talks_to_nobody(guard: Guard, tmp_path: Path) -> None:
    draw = random.Random(0)
    words = "one two three four five six seven eight".split()
    lines = [" ".join(draw.choices(words, k=3)) for _ in range(200)]
    (tmp_path / "pairs.tsv").write_text("".join(f"{line}\t{line}\n" for line in lines))
    recipe = tmp_path / "echo.toml"
    recipe.write_text(RECIPE.format(folder=tmp_path / "echo"))
    guard.run("-m", "training", "prepare", str(recipe))
    guard.run("-m", "training", "fit", str(recipe))
    guard.run("-m", "training", "evaluate", str(recipe))
    # A model of one epoch is too unsure of its words for int8.
    guard.run("-m", "training", "export", str(recipe), "--precision", "float32")
    guard.assert_nothing_left_or_sent()


@pytest.mark.parametrize("engine", ["auto", "keras"])
def test_a_server_talks_to_nobody(guard: Guard, exported_folder: Path, engine: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"SEQ2SEQ_MODEL": str(exported_folder), "SEQ2SEQ_PORT": str(port)}
    guard.run("-c", SERVE.format(port=port), SEQ2SEQ_ENGINE=engine, **settings)
    guard.assert_nothing_left_or_sent()


def test_the_guard_sees_who_calls(guard: Guard) -> None:
    """That the tests above can fail."""
    program = """
import contextlib, pathlib, socket
pathlib.Path.home().joinpath("file").touch()
caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
with contextlib.suppress(OSError):
    caller.connect(("192.0.2.1", 80))
with contextlib.suppress(OSError):
    caller.sendto(b"hello", ("192.0.2.2", 80))
"""
    guard.run("-c", program)
    with pytest.raises(AssertionError, match="file"):
        guard.assert_nothing_left_or_sent()
    if not has_strace():
        pytest.skip("strace is not here to watch connections")
    assert guard.reached_for() == {("192.0.2.1", 80), ("192.0.2.2", 80)}
