"""The minute after a server of a compiled engine says that it is ready.

    KERAS_BACKEND=jax python -m benchmarks.compilations [--model models/default] [--seconds 60]

Messages of one to six turns, so that sources have all lengths, are answered in all ways: greedy,
beams of 2 to 8, sampling, several answers, prefixes, required words, attention and the other
options, drawn at random. The server starts twice: the second time it finds the programs that the
first one has kept. Told are the seconds until it is ready, on the clock and of its processes, what
was compiled afterwards, and how long replies took. If anything was, or a request failed,
this ends with an error.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks.invariance import draw_options
from benchmarks.load import Answer, closed_loop, request_bytes
from benchmarks.server import messages, running_server

#: Requests of one run of the client.
AT_ONCE = 240
#: Of a message: some 100 tokens. A model that translates refuses more than it reads.
MAX_CHARACTERS = 300


def draw_body(draw: random.Random, turns: list[str]) -> dict[str, Any]:
    """Draws the body of a request, of any length and kind."""
    message = " ".join(draw.sample(turns, draw.randint(1, 6)))[:MAX_CHARACTERS]
    body = {"message": message, **draw_options(draw)}
    if body["decoding"] == "beam" and draw.random() < 0.2:
        body["required_words"] = draw.sample(("good", "film", "weekend", "music"), 2)
        body["max_tokens"] = max(20, body["max_tokens"])
    if "prefix" in body or "required_words" in body:  # which may contain one
        body.pop("blocked_words", None)
    return body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=12)
    chosen = parser.parse_args()
    draw, turns = random.Random(0), messages(2000)
    print("| start | ready, s | CPU, s | replies | failed | compiled | p50, ms | p99 | longest |")
    print("|---|---|---|---|---|---|---|---|---|")
    faults = 0
    with tempfile.TemporaryDirectory() as programs:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", programs)
        for start in ("first", "second"):
            begin = time.monotonic()
            with running_server(chosen.model, engine="keras") as server:
                ready, answers = time.monotonic() - begin, list[Answer]()
                cpu_s = sum(server.cpu_seconds())
                end = time.monotonic() + chosen.seconds
                while time.monotonic() < end:
                    bodies = [request_bytes(draw_body(draw, turns)) for _ in range(AT_ONCE)]
                    answers += closed_loop(server.port, bodies, chosen.clients).answers
                state = server.state()
            milliseconds = 1000 * np.array([each.seconds for each in answers])
            p50, p99, longest = np.percentile(milliseconds, [50, 99, 100])
            failed = sum(each.status != 200 for each in answers)
            faults += failed + state["compilations"]
            print(
                f"| {start} | {ready:.1f} | {cpu_s:.1f} | {len(answers):,} | {failed} "
                f"| {state['compilations']} | {p50:.0f} | {p99:.0f} | {longest:.0f} |",
                flush=True,
            )
    if faults:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
