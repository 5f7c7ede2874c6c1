"""Whoever is decoded together gets what they would get alone: 5,000 requests over HTTP, twice.

    python -m benchmarks.invariance [--model models/default] [--requests 5000] [--per-second 150]

First they come at random moments and are decoded in whatever company there is, then one after the
other, alone. Messages, ways to decode and options are drawn at random. Answers must have the same
texts, tokens and reasons to finish, and scores and attention weights that differ in their last
digits at most; how many are equal to the last digit is told too.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from typing import Any

from benchmarks.load import closed_loop, open_loop, request_bytes
from benchmarks.server import messages, running_server


def draw_options(draw: random.Random) -> dict[str, Any]:
    """Draws a way to decode and some of its options."""
    decoding = draw.choice(("greedy", "greedy", "beam", "sample"))
    options: dict[str, Any] = {"decoding": decoding, "max_tokens": draw.randint(1, 40)}
    if decoding == "beam":
        options["beam_size"] = draw.randint(2, 8)
        options["n_best"] = draw.randint(1, options["beam_size"])
    if decoding == "sample":
        options |= {"seed": draw.randrange(2**31), "n_best": draw.randint(1, 4)}
        options |= {"temperature": draw.uniform(0.3, 2.0), "top_p": draw.uniform(0.5, 1.0)}
        options["top_k"] = draw.choice((0, 5, 50))
    maybe: dict[str, Any] = {
        "length_penalty": draw.uniform(0.0, 1.5),
        "coverage_penalty": draw.uniform(0.0, 0.5),
        "repetition_penalty": draw.uniform(1.0, 1.5),
        "no_repeat_ngram": draw.randint(0, 4),
        "min_tokens": draw.randint(0, options["max_tokens"]),
        "blocked_words": draw.sample(("I", "you", "like", "the", "yes", "movie"), 2),
        "with_attention": True,
    }
    if options["max_tokens"] > 5:
        maybe["prefix"] = draw.choice(("I", "Yes,", "I think"))
    names = [name for name in maybe if draw.random() < 0.2]
    return {**options, **{name: maybe[name] for name in names}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--per-second", type=float, default=150.0)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    draw = random.Random(chosen.seed)
    bodies = [{"message": text, **draw_options(draw)} for text in messages(chosen.requests)]
    requests = [request_bytes(body) for body in bodies]
    with running_server(chosen.model, max_queue=10_000, request_timeout_seconds=600) as server:
        steps = [server.state()["steps"]]
        together = open_loop(server.port, requests, chosen.per_second, keep_bodies=True)
        steps.append(server.state()["steps"])
        alone = closed_loop(server.port, requests, 1, keep_bodies=True)
        steps.append(server.state()["steps"])
    failed = sum(each.status != 200 for each in (*together.answers, *alone.answers))
    pairs = [
        (without_latency(together.bodies[number]), without_latency(alone.bodies[number]))
        for number in range(len(requests))
    ]
    different = [place for place, pair in enumerate(pairs) if not is_same(*pair)]
    equal = sum(one == other for one, other in pairs)
    for place in different[:5]:
        print(bodies[place], *pairs[place], sep="\n")
    print("| requests | together, s | steps | alone, s | steps | failed | different | equal |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {len(requests):,} | {together.seconds:.0f} | {steps[1] - steps[0]:,} "
        f"| {alone.seconds:.0f} | {steps[2] - steps[1]:,} | {failed} | {len(different)} "
        f"| {equal:,} |"
    )
    if failed or different:
        raise SystemExit(1)


def without_latency(answer: bytes) -> dict[str, Any]:
    """Returns the answer without its latency."""
    body: dict[str, Any] = json.loads(answer)
    body.pop("latency_ms", None)
    return body


def is_same(one: Any, other: Any) -> bool:
    """Tells whether two answers are the same but for the last digits of numbers."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-5, abs_tol=1.01e-4)  # weights have 4 digits
    return bool(one == other)


if __name__ == "__main__":
    main()
