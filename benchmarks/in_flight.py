"""What a reply costs beside others: process CPU with 1 to 64 requests in flight, in each tree.

    python -m benchmarks.in_flight [--other TREE ...] [--rounds 10] [--requests 400]

Each tree answers the same messages with its own code and its own copy of the model, in a process
of its own, with one thread. They take turns; the quickest round of each counts, since whatever else
the machine does only adds to it. New requests come as soon as others are done. `gaps`: of 64
requests 60 end after 8 tokens and the last four after 60.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

PLAIN = {"n_best": 1, "no_repeat_ngram": 0}
GREEDY, BEAM = {**PLAIN, "beam_size": 1}, {**PLAIN, "beam_size": 4}
WIDE = {**PLAIN, "beam_size": 16}
SHORT = {**GREEDY, "max_tokens": 8}
LONG = {**GREEDY, "min_tokens": 60, "max_tokens": 60}

#: Name -> requests in flight, and the options of one request after the other.
SCENARIOS: dict[str, tuple[int, list[dict[str, Any]]]] = {
    "greedy, alone": (1, [GREEDY]),
    "the model's options, alone": (1, [{}]),
    "beam 4, alone": (1, [BEAM]),
    **{f"greedy, {count}": (count, [GREEDY]) for count in (8, 32, 64)},
    **{f"beam 4, {count}": (count, [BEAM]) for count in (8, 32, 64)},
    "beams of 1, 4 and 16, 64": (
        64,
        [GREEDY, BEAM, GREEDY, BEAM, GREEDY, GREEDY, BEAM, GREEDY, WIDE, GREEDY],
    ),
    "gaps": (64, [SHORT] * 60 + [LONG] * 4),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default", help="a folder in each tree")
    parser.add_argument("--other", type=Path, nargs="*", default=[], help="other trees")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--only", nargs="*", default=list(SCENARIOS), choices=list(SCENARIOS))
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.answer:
        answer_scenarios(chosen.model, chosen.requests)
        return
    from benchmarks.timing import ask  # which other trees may lack

    trees = [Path.cwd(), *chosen.other]
    processes = [start(tree, chosen) for tree in trees]
    ratios = "".join(f" ratio to {tree.name} |" for tree in chosen.other)
    print(f"| in flight | ms of CPU a reply |{ratios}")
    print("|---|---|" + "---|" * len(chosen.other))
    for name in chosen.only:
        rounds = [[float(ask(each, name)) for each in processes] for _ in range(chosen.rounds + 1)][
            1:
        ]
        own, *others = (min(times) for times in zip(*rounds, strict=True))
        cells = "".join(f" {own / other:.2f} |" for other in others)
        print(f"| {name} | {1000 * own:.3f} |{cells}", flush=True)
    for each in processes:
        each.kill()


def start(tree: Path, chosen: argparse.Namespace) -> subprocess.Popen[str]:
    """Starts a process that answers with the code of `tree`."""
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(tree)}
    command = [sys.executable, "-P", __file__, "--answer", "--model", chosen.model]
    return subprocess.Popen(
        [*command, "--requests", str(chosen.requests)],
        cwd=tree,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def answer_scenarios(model: str, count: int) -> None:
    """Runs the scenarios that standard input names; prints the seconds of CPU of a reply."""
    from benchmarks.server import messages
    from model.config import SearchOptions
    from model.generator import Generator
    from model.search.requests import SearchRequest

    generator = Generator.load(model, "onnx-int8", threads=1)
    sources = [generator.tokenizer.source_ids(message) for message in messages(count)]
    own = generator.config.search.model_dump()
    for line in sys.stdin:
        in_flight, options = SCENARIOS[line.rstrip()]
        all_options = [SearchOptions.model_validate({**own, **each}) for each in options]
        requests = [
            SearchRequest(place, source, all_options[place % len(options)])
            for place, source in enumerate(sources)
        ]
        started = time.process_time()
        run(generator.new_search(), requests, in_flight)
        print((time.process_time() - started) / count, flush=True)


def run(search: Any, requests: Sequence[Any], in_flight: int) -> None:
    """Answers `requests`, with so many in search at any time."""
    waiting: Iterator[Any] = iter(requests)
    free, left = in_flight, len(requests)
    while left:
        search.add(list(itertools.islice(waiting, free)))
        done = len(search.step())
        free, left = done, left - done


if __name__ == "__main__":
    main()
