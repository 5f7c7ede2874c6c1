"""From a measured replica to a thousand: a simulation that is first compared with a measurement.

    pip install simpy; python -m benchmarks.scale [--model models/default] [--core-hour 0.04]

One replica on one core is measured with 1 and with 64 clients: what a request, a step and a row
cost. Then two replicas, each on a core of its own, get requests at random moments at several shares
of their capacity, and the simulation must tell the same. Only then a day of fleets is simulated.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.load import Load, closed_loop, open_loop, request_bytes
from benchmarks.scale.fleet import Day, Fleet, Plan
from benchmarks.scale.replica import ROWS, Costs, latencies
from benchmarks.server import Server, messages, running_server

SHARES = (0.3, 0.5, 0.6, 0.7)
#: Requests of a measurement: alone, and together.
ALONE, TOGETHER = 400, 4_000
REPLICAS = 2
#: Arrivals a second in the busiest hour.
PEAKS = (200, 2_000, 20_000, 200_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--core-hour", type=float, default=0.04, help="price of a core for an hour")
    chosen = parser.parse_args()
    requests = [request_bytes({"message": text}) for text in messages(TOGETHER)]
    with ExitStack() as stack:
        servers = []
        for core in range(REPLICAS):
            server = stack.enter_context(running_server(chosen.model, threads=1, access_log=0))
            pin(server, core)
            closed_loop(server.port, requests[:300], 8)  # does not count
            servers.append(server)
        costs = measured(servers[0], requests)
        print(
            f"HTTP {1e3 * costs.http:.3f} ms a request, step {1e3 * costs.step:.3f} ms, row "
            f"{1e6 * costs.row:.1f} us a step, waiting {1e3 * costs.waiting:.2f} ms; capacity "
            f"{costs.capacity:.0f} replies/s"
        )
        print("\n| load | | p50 ms | p99 ms | replies/s |\n|---|---|---|---|---|")
        for share in SHARES:
            compare(servers, requests, costs, share)
    print("\n| peak, requests/s | replicas | refused | longest wait s | a million replies |")
    print("|---|---|---|---|---|")
    for peak in PEAKS:
        day = Fleet(Plan(peak, costs.capacity)).run()
        print(f"| {peak:,} | {described(day, chosen.core_hour)} |")


def pin(server: Server, core: int) -> None:
    """Keeps all threads of a server on one core."""
    for pid in server.pids():
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {core})


def measured(server: Server, requests: Sequence[bytes]) -> Costs:
    """Measures what a replica's work costs."""
    alone, alone_http, alone_steps = _cost(server, requests[:ALONE], 1)
    load, http, together = _cost(server, requests, ROWS)
    tokens = [answer.tokens + 1 for answer in load.answers if answer.tokens]
    steps = statistics.mean(tokens)
    # A request alone costs steps * (step + row), and in a full batch steps * (step / ROWS + row).
    step = (alone_steps - together) / steps / (1 - 1 / ROWS)
    row = alone_steps / steps - step
    spent = alone_http + alone_steps
    waiting = statistics.median(answer.seconds for answer in alone.answers) - spent
    return Costs(http, step, max(row, 0.0), max(waiting, 0.0), tokens)


def _cost(server: Server, requests: Sequence[bytes], clients: int) -> tuple[Load, float, float]:
    """Returns the load, and the CPU of a request in the HTTP and in the decoding process. The
    client shares their core, so that what it costs counts as HTTP's."""
    before = server.cpu_seconds()
    load = closed_loop(server.port, requests, clients)
    http, worker = (
        (late - early) / len(requests)
        for early, late in zip(before, server.cpu_seconds(), strict=True)
    )
    return load, http + load.cpu_seconds / len(requests), worker


def compare(
    servers: Sequence[Server], requests: Sequence[bytes], costs: Costs, share: float
) -> None:
    """Prints what is measured and what is simulated at a share of the capacity."""
    rate = share * costs.capacity
    loads: list[Load] = []

    def ask(place: int, server: Server) -> None:
        loads.append(open_loop(server.port, requests, rate, seed=place))

    threads = [threading.Thread(target=ask, args=each) for each in enumerate(servers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = sorted(answer.seconds for load in loads for answer in load.answers)
    failed = sum(answer.status != 200 for load in loads for answer in load.answers)
    per_second = sum(len(load.answers) / load.seconds for load in loads)
    count = len(requests) * len(servers)
    total = rate * len(servers)
    simulated = latencies(costs, per_second=total, replicas=len(servers), requests=count)
    rows = (("measured", answers, per_second), ("simulated", simulated, total))
    for name, found, throughput in rows:
        p50, p99 = (1e3 * found[int(part * (len(found) - 1))] for part in (0.5, 0.99))
        print(f"| {share:.0%} | {name} | {p50:.1f} | {p99:.1f} | {throughput:.0f} |")
    if failed:
        print(f"{failed} of {count} requests failed")


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
