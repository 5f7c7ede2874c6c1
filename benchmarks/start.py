"""From the start of `python -m app` to its first reply, and what its processes hold in memory then.

    python -m benchmarks.start [--model models/default] [--times 5]

Every engine that the folder has is started as an operator would, one after the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import urllib.request

from benchmarks.server import MIB, running_server
from model.folder import GRAPH_FILES, load_folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
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
        runs = [start_once(chosen.model, engine) for _ in range(chosen.times)]
        seconds, resident = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"| {engine} | {seconds:.2f} | {resident / MIB:.0f} |", flush=True)


def start_once(model: str, engine: str) -> tuple[float, int]:
    """Returns the seconds until a fresh server's first reply, and its resident bytes afterwards."""
    body = json.dumps({"message": "hello"}).encode()
    begin = time.perf_counter()
    with running_server(model, engine=engine) as server:
        url = f"http://127.0.0.1:{server.port}/reply"
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            answer.read()
        return time.perf_counter() - begin, server.resident_bytes()


if __name__ == "__main__":
    main()
