"""From the start of `python -m app` to its first reply, and what its processes hold in memory then.

    python -m benchmarks.start [--model models/default] [--port 8642] [--times 5]

Every engine that the folder has is started as an operator would, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

from benchmarks.server import Server
from model.folder import GRAPH_FILES, load_folder

DEADLINE_S = 120.0
PAUSE_S = 0.01
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--port", type=int, default=8642)
    parser.add_argument("--times", type=int, default=5)
    chosen = parser.parse_args()
    files = set(load_folder(chosen.model).config.sha256)
    engines = [
        name
        for name, precision in (("onnx-int8", "int8"), ("onnx", "float32"))
        if set(GRAPH_FILES[precision]) <= files
    ]
    print("| engine | seconds to the first reply | resident MiB |\n|---|---|---|")
    for engine in [*engines, "keras"]:
        runs = [start_once(chosen.model, engine, chosen.port) for _ in range(chosen.times)]
        seconds, resident = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"| {engine} | {seconds:.2f} | {resident / MIB:.0f} |", flush=True)


def start_once(model: str, engine: str, port: int) -> tuple[float, int]:
    """Returns the seconds until a fresh server's first reply, and its resident bytes afterwards."""
    settings = {"MODEL": model, "ENGINE": engine, "PORT": str(port)}
    begin = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "app"],
        env={**os.environ, **{f"SEQ2SEQ_{name}": value for name, value in settings.items()}},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ask_until_answered(server, f"http://127.0.0.1:{port}/reply")
        return time.perf_counter() - begin, Server(port, server).resident_bytes()
    finally:
        server.terminate()
        server.wait()


def ask_until_answered(server: subprocess.Popen[bytes], url: str) -> None:
    body = json.dumps({"message": "hello"}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    give_up = time.monotonic() + DEADLINE_S
    while time.monotonic() < give_up:
        if server.poll() is not None:
            raise SystemExit(f"the server ended with exit code {server.returncode}")
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:
                answer.read()
                return
        except urllib.error.URLError:
            time.sleep(PAUSE_S)
    raise SystemExit(f"no reply within {DEADLINE_S:.0f} s")


if __name__ == "__main__":
    main()
