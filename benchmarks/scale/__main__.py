"""From a measured replica to a thousand: a simulation that is first compared with a measurement.

    pip install simpy; python -m benchmarks.scale [--model models/default] [--core-hour 0.04]

What a request and a step cost is measured on one replica on one core: alone, at random moments at
several rates, and as fast as it can. Then two replicas, each with its client on a core of its own,
get requests at other random moments, and the simulation of these must tell the same. Only then a
day of fleets is simulated.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from app.settings import Settings
from benchmarks.load import Load, closed_loop, open_loop, random_moments, request_bytes
from benchmarks.scale.fleet import Day, Fleet, Plan
from benchmarks.scale.replica import Costs, latencies
from benchmarks.server import Server, messages, running_server
from model.folder import load_folder

SHARES = (0.3, 0.5, 0.6, 0.7)
#: Shares of the capacity at which costs are measured.
MEASURED = (0.2, 0.4, 0.6, 0.8)
#: Requests of a measurement: of one client, of many, at random moments; and of a comparison.
ALONE, TOGETHER, OPEN, COMPARED = 400, 3_000, 2_000, 4_000
CLIENTS = 32
REPLICAS = 2
#: Of each comparison.
ROUNDS = 3
MAX_ROWS, MAX_QUEUE = (Settings.model_fields[name].default for name in ("max_rows", "max_queue"))
#: Arrivals a second in the busiest hour.
PEAKS = (200, 2_000, 20_000, 200_000)
#: What may go wrong on such a day, at one of the peaks.
TROUBLED_PEAK = 20_000
TROUBLES: dict[str, dict[str, Any]] = {
    "a burst of 1.5 for five minutes": {},
    "a burst of 2": {"burst": 2.0},
    "a burst of 2, and replicas are ready after five": {"burst": 2.0, "start_seconds": 300.0},
    "a burst of 3": {"burst": 3.0},
    "a target of 80 % of the capacity, not 60 %": {"target": 0.8},
    "a third of the replicas lost at once": {"lost": 1 / 3},
    "half of the replicas lost at once": {"lost": 0.5},
}


#: p50, p99 and replies a second.
Figures = tuple[float, float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--core-hour", type=float, default=0.04, help="price of a core for an hour")
    chosen = parser.parse_args()
    requests = [request_bytes({"message": text}) for text in messages(COMPARED)]
    with ExitStack() as stack:
        servers = []
        for core in range(REPLICAS):
            server = stack.enter_context(running_server(chosen.model, threads=1, access_log=0))
            pin(server, core)
            closed_loop(server.port, requests[:300], 8)  # does not count
            servers.append(server)
        beam_size = load_folder(chosen.model).config.search.beam_size
        costs = measured(servers[0], requests, MAX_ROWS // beam_size)
        print("| in search | HTTP, ms a request | ms a step |\n|---|---|---|")
        for count, http, step in zip(costs.requests, costs.http, costs.step, strict=True):
            print(f"| {count:.1f} | {1e3 * http:.3f} | {1e3 * step:.3f} |")
        print(f"waiting {1e3 * costs.waiting:.2f} ms; capacity {costs.capacity:.0f} replies/s")
        print("\n| load | | p50 ms | p99 ms | replies/s |\n|---|---|---|---|---|")
        for share in SHARES:
            compare(servers, requests, costs, share)
    print("\n| peak, requests/s | replicas | refused | longest wait s | a million replies |")
    print("|---|---|---|---|---|")
    for peak in PEAKS:
        day = Fleet(Plan(peak, costs.capacity, costs.room + MAX_QUEUE)).run()
        print(f"| {peak:,} | {described(day, chosen.core_hour)} |")
    print(f"\n| at {TROUBLED_PEAK:,}/s | replicas | refused | longest wait s | a million replies |")
    print("|---|---|---|---|---|")
    for trouble, change in TROUBLES.items():
        day = Fleet(Plan(TROUBLED_PEAK, costs.capacity, costs.room + MAX_QUEUE, **change)).run()
        print(f"| {trouble} | {described(day, chosen.core_hour)} |")


def pin(server: Server, core: int) -> None:
    """Keeps all threads of a server on one core."""
    for pid in server.pids():
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {core})


def measured(server: Server, requests: Sequence[bytes], room: int) -> Costs:
    """Measures what the work of the replica on the first core costs. The client is on that core
    too, and what it costs counts as HTTP's."""
    os.sched_setaffinity(0, {0})
    port = server.port
    alone = Run.of(server, lambda: closed_loop(port, requests[:ALONE], 1))
    busy = Run.of(server, lambda: closed_loop(port, requests[:TOGETHER], CLIENTS))
    rates = [share * TOGETHER / busy.load.seconds for share in MEASURED]
    runs = [
        Run.of(server, partial(open_loop, port, requests[:OPEN], rate, seed=9)) for rate in rates
    ]
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    longer = alone.steps / sum(alone.tokens)  # a beam goes on when its best hypothesis has ended
    seconds = statistics.median(answer.seconds for answer in alone.load.answers)
    runs = [alone, *runs, busy]
    return Costs(
        requests=[longer * sum(run.tokens) / run.steps for run in runs],
        http=[run.http / len(run.tokens) for run in runs],
        step=[run.worker / run.steps for run in runs],
        waiting=max(0.0, seconds - (alone.http + alone.worker) / len(alone.tokens)),
        steps=[round(longer * tokens) for tokens in busy.tokens],
        room=room,
    )


@dataclass(frozen=True)
class Run:
    """Requests of several clients to one replica.

    Attributes:
        load: what they found.
        steps: of the decoder.
        http, worker: seconds of CPU of the two processes, the client's with the former.
    """

    load: Load
    steps: int
    http: float
    worker: float

    @classmethod
    def of(cls, server: Server, send: Callable[[], Load]) -> Run:
        """Sends requests."""
        steps, before = server.state()["steps"], server.cpu_seconds()
        load = send()
        http, worker = (b - a for a, b in zip(before, server.cpu_seconds(), strict=True))
        return cls(load, server.state()["steps"] - steps, http + load.cpu_seconds, worker)

    @property
    def tokens(self) -> list[int]:
        """Returns the tokens of each reply, with its end."""
        return [answer.tokens + 1 for answer in self.load.answers]


def compare(
    servers: Sequence[Server], requests: Sequence[bytes], costs: Costs, share: float
) -> None:
    """Prints what is measured and what is simulated at a share of the capacity: medians of rounds,
    each with other arrivals."""
    rate = share * costs.capacity
    rounds = [_round(servers, requests, costs, rate, first) for first in range(ROUNDS)]
    for name, found in zip(("measured", "simulated"), zip(*rounds, strict=True), strict=True):
        p50, p99, per_second = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"| {share:.0%} | {name} | {p50:.1f} | {p99:.1f} | {per_second:.0f} |", flush=True)


def _round(
    servers: Sequence[Server], requests: Sequence[bytes], costs: Costs, rate: float, number: int
) -> tuple[Figures, Figures]:
    """Returns p50 and p99 in ms and replies a second, as measured and as simulated."""
    loads: list[Load] = []

    def ask(place: int, server: Server) -> None:
        os.sched_setaffinity(0, {place})  # of this thread, and of the client that it starts
        loads.append(open_loop(server.port, requests, rate, seed=_seed(number, place)))

    threads = [threading.Thread(target=ask, args=each) for each in enumerate(servers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = [answer for load in loads for answer in load.answers]
    if any(answer.status != 200 for answer in answers):
        raise SystemExit("a request failed")
    per_second = sum(len(load.answers) / load.seconds for load in loads)
    simulated = [
        seconds
        for place in range(len(servers))
        for seconds in latencies(
            costs, random_moments(len(requests), rate, seed=_seed(number, place))
        )
    ]
    measured = (*_percentiles([answer.seconds for answer in answers]), per_second)
    return measured, (*_percentiles(simulated), rate * len(servers))


def _seed(number: int, place: int) -> int:
    return REPLICAS * number + place


def _percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    """Returns p50 and p99 in ms."""
    p50, p99 = 1e3 * np.percentile(seconds, [50, 99])
    return p50, p99


def described(day: Day, core_hour: float) -> str:
    """Returns cells of a table: replicas, refusals, waiting, and the cost of a million replies."""
    cost = day.replica_seconds / 3600 * core_hour / day.answered * 1e6
    refused = day.refused / (day.answered + day.refused)
    return (
        f"{min(day.replicas):,} to {max(day.replicas):,} | {refused:.3%} | "
        f"{day.longest_wait:.1f} | {cost:.2f}"
    )


if __name__ == "__main__":
    main()
