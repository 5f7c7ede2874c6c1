"""Clients that hang up mid-reply, and 100,000 requests: rows come back, memory stays.

    python -m benchmarks.soak [--model models/default] [--clients 1000] [--requests 100000]

First `clients` ask for replies of 256 tokens, half of them streamed; while they are decoded
together all of them hang up. They come again, and one hangs up, then 63 more, then all the others.
Then 64 clients ask for replies of at most 8 tokens, and the server's resident memory is read after
every tenth of the requests.
"""

from __future__ import annotations

import argparse
import random
import socket
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.load import closed_loop, request_bytes
from benchmarks.server import MIB, Server, messages, running_server

TOKENS = 256
#: Hang-ups at a time.
TOGETHER = 63
CLIENTS = 64
TENTHS = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=100_000)
    chosen = parser.parse_args()
    rows = {"max_rows": chosen.clients, "max_queue": chosen.clients}
    with running_server(chosen.model, **rows, request_timeout_seconds=600) as server:
        print("| hang up | rows before | rows after | steps | ms |\n|---|---|---|---|---|")
        hang_up(server, chosen.clients, (chosen.clients,))
        hang_up(server, chosen.clients, (1, TOGETHER, chosen.clients))
    print()
    with running_server(chosen.model) as server:
        soak(server, chosen.requests)


def hang_up(server: Server, clients: int, groups: Sequence[int]) -> None:
    """Prints how soon the rows of each of `groups` are free; the last one has all who are left."""
    connections = []
    for number, text in enumerate(messages(clients)):
        body = {
            "message": text,
            "min_tokens": TOKENS,
            "max_tokens": TOKENS,
            "stream": number % 2 == 0,
        }
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(request_bytes(body))
        connections.append(connection)
    while server.state()["rows_in_use"] < clients:
        time.sleep(0.01)
    for leaving in groups:
        before = server.state()
        gone, connections = connections[:leaving], connections[leaving:]
        start = time.perf_counter()
        for connection in gone:
            connection.close()
        while (after := server.state())["rows_in_use"] > len(connections):
            time.sleep(0.001)
        seconds = time.perf_counter() - start
        print(
            f"| {len(gone):,} | {before['rows_in_use']:,} | {after['rows_in_use']:,} "
            f"| {after['steps'] - before['steps']} | {1000 * seconds:.0f} |",
            flush=True,
        )


def soak(server: Server, count: int) -> None:
    draw = random.Random(0)
    bodies: list[dict[str, Any]] = [
        {"message": text, "max_tokens": draw.randint(1, 8)} for text in messages(count // TENTHS)
    ]
    requests = [request_bytes(body) for body in bodies]
    print("| requests | resident MiB | replies/s | errors |\n|---|---|---|---|")
    print(f"| 0 | {server.resident_bytes() / MIB:.1f} | | |", flush=True)
    for tenth in range(1, TENTHS + 1):
        load = closed_loop(server.port, requests, CLIENTS)
        errors = sum(each.status != 200 for each in load.answers)
        print(
            f"| {tenth * len(requests):,} | {server.resident_bytes() / MIB:.1f} "
            f"| {len(requests) / load.seconds:.0f} | {errors} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
