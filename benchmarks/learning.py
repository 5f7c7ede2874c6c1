"""Does every size learn? The dev loss after the first epoch, beside the unigram entropy.

    SEQ2SEQ_DATA=... python -m benchmarks.learning [--pairs 5000 50000]

Five networks, tied and not, GRU and LSTM, with the defaults of a recipe otherwise, on
English-French pairs of Tatoeba that are drawn evenly. A network that knows nothing but how frequent
words are has the loss of the unigram entropy.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from benchmarks.corpora import tatoeba
from model.config import NetworkShape
from training.fit.loop import Run
from training.prepare.prepare import PreparedCorpus, open_prepared, prepare
from training.prepare.shards import evenly_spaced
from training.recipe import Recipe

NETWORKS: dict[str, tuple[int, dict[str, Any]]] = {
    "64 GRU, tied": (64, {"cell": "gru", "tie_output": True}),
    "64 LSTM": (64, {"cell": "lstm", "tie_output": False}),
    "128 LSTM, tied": (128, {"cell": "lstm", "tie_output": True}),
    "256 GRU": (256, {"cell": "gru", "tie_output": False}),
    "512 GRU, tied": (512, {"cell": "gru", "tie_output": True}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="+", default=[5_000, 50_000])
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parser.parse_args()
    print("| pairs | network | steps | unigram entropy | dev loss | seconds |")
    print("|---|---|---|---|---|---|")
    for pairs in options.pairs:
        for name in options.networks:
            with tempfile.TemporaryDirectory() as folder, quiet():
                recipe, corpus = prepared(Path(folder), pairs, name)
                run, seconds = first_epoch(recipe, corpus)
            loss = run.progress.history[0]["loss"]
            steps, entropy = run.steps_per_epoch, run.entropy
            row = f"{pairs:,} | {name} | {steps} | {entropy:.3f} | {loss:.3f} | {seconds:.0f}"
            print(f"| {row} |", flush=True)


def prepared(folder: Path, pairs: int, name: str) -> tuple[Recipe, PreparedCorpus]:
    """Prepares so many pairs. Returns the recipe of a network, and the corpus."""
    lines = ["\t".join(pair) for pair in tatoeba("fra-eng")]
    drawn = (lines[i] for i in evenly_spaced(len(lines), pairs))
    (folder / "pairs.tsv").write_text("".join(f"{line}\n" for line in drawn))
    units, parts = NETWORKS[name]
    widths = {"embedding_units": units, "encoder_units": units // 2, "decoder_units": units}
    values = {
        "name": "learning",
        "task": "translate",
        "languages": ["en", "fr"],
        "output": str(folder),
        "corpus": {"sources": [{"format": "pairs", "path": "pairs.tsv"}]},
        "network": NetworkShape(**widths, **parts).model_dump(),
    }
    recipe = Recipe.parse(values, where=name)
    prepare(recipe, folder / "learning.toml")
    return recipe, open_prepared(recipe)


def first_epoch(recipe: Recipe, corpus: PreparedCorpus) -> tuple[Run, float]:
    """Trains one epoch, at the learning rates of the whole run. Returns the run and its seconds."""
    keras.utils.clear_session()
    run = Run(recipe, corpus)
    run.options = run.options.model_copy(update={"epochs": 1})
    start = time.perf_counter()
    run.train()
    return run, time.perf_counter() - start


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps what `fit` prints out of the table."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


if __name__ == "__main__":
    main()
