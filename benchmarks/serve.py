"""Replies over HTTP under load, beside the same messages answered offline.

    python -m benchmarks.serve [--model models/default] [--rounds 5]

Each round asks a fresh server. Just before each load it answers messages offline, as the speed of a
rented machine changes: in batches of 64, in the order in which they come to the server and each
batch by itself; and by `python -m model reply`, which knows all of them: it sorts by length, and
one that is done makes room for the next. The server is asked in closed loops (each client asks as
soon as it is answered) and in open ones (requests come at random moments, at shares of what 64
clients got). All options are the model's. The clients are one process beside the server, on the
same cores. Medians of all rounds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.load import Load, closed_loop, open_loop, request_bytes
from benchmarks.server import Server, messages, running_server
from model.generator import Generator
from model.lines import answer_lines
from model.search.requests import SearchRequest

#: Requests of each closed loop, by the number of clients.
CLOSED = {1: 200, 8: 1000, 64: 2000, 256: 3000}
#: Shares of the throughput of 64 clients at which requests come.
OPEN = (0.25, 0.5, 0.75)
OPEN_REQUESTS = 1000
#: Replies of at most so many tokens are short.
SHORT_TOKENS = 8
COLUMNS = (
    "of batches",
    "of `model reply`",
    "replies/s",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "short p50 ms",
    "short p99 ms",
    "slowest ms",
    "errors",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    generator = Generator.load(chosen.model)
    texts = messages(max(CLOSED.values()))
    requests = [request_bytes({"message": text}) for text in texts]
    found: dict[str, list[list[float]]] = defaultdict(list)
    costs: list[list[float]] = []
    offline: list[Offline] = []

    def measure(name: str, ask: Callable[[], Load]) -> Load:
        offline.append(answered_offline(generator, texts[: CLOSED[64]]))
        load = ask()
        found[name].append(figures(load, offline[-1]))
        return load

    for _ in range(chosen.rounds):
        with running_server(chosen.model) as server:
            closed_loop(server.port, requests[:200], 8)  # does not count
            for clients, count in CLOSED.items():
                before = server.cpu_seconds()
                load = measure(
                    "1 client" if clients == 1 else f"{clients} clients",
                    partial(closed_loop, server.port, requests[:count], clients),
                )
                if clients == 64:
                    costs.append(cost(server, before, load))
                    capacity = count / load.seconds
            for share in OPEN:
                asked = requests[:OPEN_REQUESTS]
                measure(
                    f"arrivals at {share:.0%}",
                    partial(open_loop, server.port, asked, share * capacity),
                )
    print_environment(generator)
    for name, rates in zip(Offline._fields, zip(*offline, strict=True), strict=True):
        print(f"offline, {name}: {statistics.median(rates):.0f} replies/s")
    print()
    print("| load | " + " | ".join(COLUMNS) + " |\n|" + "---|" * (len(COLUMNS) + 1))
    for name, rounds in found.items():
        medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
        shown = [f"{each:.0%}" for each in medians[:2]] + [f"{each:.4g}" for each in medians[2:]]
        print(f"| {name} | {' | '.join(shown)} |")
    loop, others, client = (statistics.median(column) for column in zip(*costs, strict=True))
    print(
        f"\nwith 64 clients, CPU of a request: HTTP {loop:.2f} ms, worker "
        f"{others:.2f} ms, client {client:.2f} ms"
    )


class Offline(NamedTuple):
    """Replies a second."""

    batches: float
    reply: float


def answered_offline(generator: Generator, texts: list[str]) -> Offline:
    """Answers `texts` in both ways."""
    template = SearchRequest(None, (), generator.config.search)
    batches = [texts[first : first + 64] for first in range(0, len(texts), 64)]
    rates = []
    for parts in (batches, [texts]):
        start = time.perf_counter()
        for part in parts:
            for _ in answer_lines(generator, part, template, batch_size=64):
                pass
        rates.append(len(texts) / (time.perf_counter() - start))
    return Offline(*rates)


def figures(load: Load, offline: Offline) -> list[float]:
    """Returns the values of `COLUMNS`."""
    good = [each for each in load.answers if each.status == 200]
    milliseconds = [1000 * each.seconds for each in good]
    short = [1000 * each.seconds for each in good if each.tokens <= SHORT_TOKENS]
    per_second = len(good) / load.seconds
    return [
        per_second / offline.batches,
        per_second / offline.reply,
        per_second,
        *np.percentile(milliseconds, [50, 95, 99]),
        *np.percentile(short, [50, 99]),
        max(milliseconds),
        len(load.answers) - len(good),
    ]


def cost(server: Server, before: tuple[float, float], load: Load) -> list[float]:
    """Returns the milliseconds of CPU that a request took of HTTP, of the worker and of the
    client."""
    spent = [now - then for now, then in zip(server.cpu_seconds(), before, strict=True)]
    return [1000 * each / len(load.answers) for each in (*spent, load.cpu_seconds)]


def print_environment(generator: Generator) -> None:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    print(
        f"{generator.config.name}, {type(generator.engine).__name__}; {', '.join(models[:1])}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, "
        f"ONNX Runtime {version('onnxruntime')}"
    )


if __name__ == "__main__":
    main()
