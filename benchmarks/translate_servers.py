"""Our server beside a plain FastAPI server round CTranslate2, on translate requests.

    pip install ctranslate2 torch
    python -m benchmarks.translate_servers [--model models/en-de] [--transformer MODEL]

The other server is `benchmarks/ctranslate2_server.py`. It translates with `--transformer`, a model
of ours with a shared vocabulary, beside which `export --format ctranslate2` wrote a folder. Without
one, its Transformer (1 + 1 layers, 256 units, no fewer weights than our model) has random weights,
and each translation as many tokens as ours have on average. Both answer `POST /translate` with the
same sentences and a beam of the same width; `evaluate` says what each model is worth. The servers
take turns; medians.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.corpora import tatoeba
from benchmarks.load import closed_loop, request_bytes
from benchmarks.peers import SMALLEST, random_transformer
from benchmarks.server import Server, free_port, running, running_server
from model.folder import SOURCE_TOKENIZER_FILE
from model.generator import Generator

#: Requests by the number of clients.
REQUESTS = {1: 300, 8: 1_500, 64: 4_000}
SENTENCES = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/en-de")
    parser.add_argument(
        "--transformer", metavar="MODEL", help="a model folder with `ctranslate2` beside it"
    )
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    generator = Generator.load(chosen.model, threads=1)
    languages, beam_size = generator.config.languages, generator.config.search.beam_size
    texts = sentences(languages[0] == "en")
    print(f"beam {beam_size}; {chosen.model}, {chosen.transformer or 'random weights'}")
    body = dict(zip(("source", "target"), languages, strict=True))
    requests = [request_bytes({"q": text, **body}, "/translate") for text in texts]
    figures: dict[tuple[int, str], list[tuple[float, ...]]] = defaultdict(list)
    with ExitStack() as stack:
        servers = {
            "Seq2Seq": stack.enter_context(running_server(chosen.model, access_log=0)),
            "CTranslate2": stack.enter_context(
                trained_server(Path(chosen.transformer), beam_size)
                if chosen.transformer
                else random_server(Path(chosen.model), generator, texts, beam_size)
            ),
        }
        for server in servers.values():
            closed_loop(server.port, requests[:200], 8)  # does not count
        for _ in range(chosen.rounds):
            for clients, count in REQUESTS.items():
                asked = [requests[place % len(requests)] for place in range(count)]
                for name, server in servers.items():
                    figures[clients, name].append(measured(server, asked, clients))
    print("| clients | server | translations/s | p50 ms | p99 ms | CPU ms |")
    print("|---|---|---|---|---|---|")
    for (clients, name), rounds in figures.items():
        cells = [f"{statistics.median(column):.4g}" for column in zip(*rounds, strict=True)]
        print(f"| {clients} | {name} | {' | '.join(cells)} |")


def sentences(is_english: bool) -> list[str]:
    """Draws sentences of Tatoeba, in English or in German."""
    texts = [english if is_english else german for english, german in tatoeba("deu-eng")]
    return random.Random(1).sample(texts, SENTENCES)


def measured(server: Server, requests: list[bytes], clients: int) -> tuple[float, ...]:
    """Returns translations a second, p50 and p99 in ms, and CPU of the server for a request."""
    before = sum(server.cpu_seconds())
    load = closed_loop(server.port, requests, clients)
    cpu = sum(server.cpu_seconds()) - before
    if any(answer.status != 200 for answer in load.answers):
        raise SystemExit("a request failed")
    seconds = [answer.seconds for answer in load.answers]
    p50, p99 = 1e3 * np.percentile(seconds, [50, 99])
    return len(seconds) / load.seconds, p50, p99, 1e3 * cpu / len(seconds)


@contextmanager
def random_server(
    model: Path, generator: Generator, texts: list[str], beam_size: int
) -> Iterator[Server]:
    """Runs the other server with random weights and the tokenizer of `model`."""
    found = generator.generate(texts[:300])
    tokens = round(statistics.mean(len(best.tokens) for best, *_ in found))
    tokenizer = generator.tokenizer
    pieces = tokenizer.source_pieces(range(tokenizer.source_vocab_size))
    with tempfile.TemporaryDirectory() as folder:
        random_transformer(pieces, SMALLEST).save(folder)
        with other_server(Path(folder), model, beam_size, tokens) as server:
            yield server


def trained_server(model: Path, beam_size: int) -> AbstractContextManager[Server]:
    """Runs the other server with a model of ours."""
    return other_server(model.parent / "ctranslate2", model, beam_size)


@contextmanager
def other_server(translator: Path, model: Path, *numbers: int) -> Iterator[Server]:
    """Runs the other server on a free port; for `numbers`, see `benchmarks.ctranslate2_server`."""
    port = free_port()
    arguments = [translator, model / SOURCE_TOKENIZER_FILE, port, *numbers]
    with running(["benchmarks.ctranslate2_server", *map(str, arguments)], port) as server:
        yield server


if __name__ == "__main__":
    main()
