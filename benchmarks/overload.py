"""A server that is asked three times what it can answer: goodput, refusals, memory, recovery.

    python -m benchmarks.overload [--model models/default] [--seconds 300] [--beam-size 8]

64 clients that ask in turn show the capacity. Then requests come at random moments, three times as
many, while one client asks once a second and reads how it is refused, and the memory is read. At
last it waits for as long as a refusal told, and asks for a second. The client shares the cores with
the server, so that a beam makes requests worth refusing: with greedy search a refusal costs the
HTTP process about as much as an answer.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import numpy as np

from benchmarks.load import Load, closed_loop, open_loop, request_bytes
from benchmarks.server import MIB, Server, messages, running_server

CLIENTS = 64
#: Requests that show the capacity.
CAPACITY_REQUESTS = 1_500
#: Rows and queue: together the requests that the server has at a time.
ROWS, QUEUE = 64, 192
OVERLOAD = 3.0


@dataclass
class Probe:
    """What a client saw that asks once a second.

    Attributes:
        statuses: of the answers.
        retry_seconds: `Retry-After` of the refusals; None where it was missing.
        memory: of all processes, in bytes.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    retry_seconds: list[int | None] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--beam-size", type=int, default=8)
    chosen = parser.parse_args()
    options = {"beam_size": chosen.beam_size, "decoding": "beam"}
    requests = [request_bytes({"message": text, **options}) for text in messages(2_000)]
    with running_server(chosen.model, max_rows=ROWS, max_queue=QUEUE, access_log=0) as server:
        closed_loop(server.port, requests[:200], 8)  # does not count
        asked = requests[:CAPACITY_REQUESTS]
        capacity = len(asked) / closed_loop(server.port, asked, CLIENTS).seconds
        rate = OVERLOAD * capacity
        count = int(rate * chosen.seconds)
        flood = [requests[place % len(requests)] for place in range(count)]
        load, probe = flooded(server, flood, rate)
        time.sleep(max(filter(None, probe.retry_seconds), default=0))
        after = open_loop(server.port, requests[: int(capacity / 2)], capacity / 2)
    report(capacity, load, probe, after)


def flooded(server: Server, requests: list[bytes], rate: float) -> tuple[Load, Probe]:
    """Sends `requests`, so many a second, and looks at the server meanwhile."""
    probe, is_over = Probe(), threading.Event()
    watching = threading.Thread(target=_watch, args=(server, probe, is_over))
    watching.start()
    try:
        return open_loop(server.port, requests, rate), probe
    finally:
        is_over.set()
        watching.join()


def _watch(server: Server, probe: Probe, is_over: threading.Event) -> None:
    url = f"http://127.0.0.1:{server.port}/reply"
    with httpx.Client(timeout=60) as client:
        while not is_over.wait(1.0):
            answer = client.post(url, json={"message": "hello"})
            probe.statuses[answer.status_code] += 1
            if answer.status_code != httpx.codes.OK:
                seconds = answer.headers.get("Retry-After")
                probe.retry_seconds.append(None if seconds is None else int(seconds))
            probe.memory.append(server.resident_bytes())


def report(capacity: float, load: Load, probe: Probe, after: Load) -> None:
    """Prints what was found."""
    statuses = Counter(answer.status for answer in load.answers)
    accepted = [answer.seconds for answer in load.answers if answer.status == httpx.codes.OK]
    goodput = len(accepted) / load.seconds
    settled = probe.memory[len(probe.memory) // 10 :]  # buffers grow at the beginning
    print(f"capacity of {CLIENTS} clients: {capacity:.0f} replies/s")
    print(f"asked: {len(load.answers) / load.seconds:.0f} a second for {load.seconds:.0f} s")
    print(f"answers by status: {dict(statuses)}")
    print(f"goodput: {goodput:.0f} replies/s, {goodput / capacity:.0%} of the capacity")
    if accepted:
        p50, p99 = np.percentile(accepted, [50, 99])
        print(f"accepted: p50 {p50:.2f} s, p99 {p99:.2f} s")
    print(f"refusals without Retry-After: {probe.retry_seconds.count(None)}; with: ", end="")
    print(Counter(filter(None, probe.retry_seconds)))
    print(f"memory: {min(settled) / MIB:.0f} to {max(settled) / MIB:.0f} MiB")
    seconds = [answer.seconds for answer in after.answers]
    refused = sum(answer.status != httpx.codes.OK for answer in after.answers)
    print(
        f"afterwards, at half of the capacity: {refused} of {len(seconds)} refused, p50 "
        f"{1000 * statistics.median(seconds):.0f} ms, slowest {1000 * max(seconds):.0f} ms"
    )


if __name__ == "__main__":
    main()
