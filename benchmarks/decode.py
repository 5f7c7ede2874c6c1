"""Decoding speed: this project's engines beside plain Keras loops, PyTorch and CTranslate2.

    pip install ctranslate2 torch
    python -m benchmarks.decode [--model FOLDER] [--repeats 5]

The network is that of a recipe with random weights, or a model's. Every hypothesis is made to have
exactly 20 tokens, every source has 20; one search drives all engines, so they do the same work and
differ only in how a step is computed. Beside ours (`onnx-int8`, with and without a shortlist,
`onnx`, `keras`) stand:

- `model(...)`: what tutorials do. Calls the Keras model on the source and all tokens so far, for
  each new token.
- `eager step`: encodes once and calls the network's own `step` for each token, uncompiled.
- `PyTorch`, `PyTorch int8`: the same weights in PyTorch's modules, the latter quantised
  dynamically, driven by our search.
- `CTranslate2`, `CTranslate2 int8`: a small Transformer (see `benchmarks/peers.py`) of the same
  vocabulary with random weights, its own search.

Of several thread settings the best one counts, of ours and of CTranslate2. Runs are interleaved
(each engine in turn, again and again, for a tenth of a second at least); figures are medians.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import ctranslate2
import keras
import numpy as np
import torch
from keras import ops

from benchmarks.peers import TorchEngine, TransformerSize, ctranslate2_runs
from model.config import NetworkConfig, SearchOptions
from model.contract import Bool, Engine, Int32, StepResult
from model.engine.keras import KerasEngine, load_network
from model.engine.onnx import OnnxEngine, Precision
from model.engine.shortlist import Shortlist
from model.folder import SHORTLIST_FILES, load_folder
from model.networks.tokens import TokenSeq2Seq
from model.search.beam import Search
from model.search.requests import SearchRequest
from model.tokenizer import BOS_ID, EOS_ID, SPECIAL_PIECES
from training.export import graph_files, shortlist_files
from training.export.projection import shortlist_columns
from training.export.shortlist import PROPOSALS
from training.recipe import read_recipe

TOKENS = 20
#: Seconds that are worth measuring.
ENOUGH = 0.1
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
#: Whose times are divided by each engine's.
RATIOS = ("CTranslate2 int8", "PyTorch int8", "model(...)")

#: Answers sources `(batch, source_len)` with a beam of so many.
Run = Callable[[Int32, int], None]


@dataclass(frozen=True)
class Prefix:
    """All that `model(...)` needs: sources `(rows, source_len)` and what was said so far."""

    source_ids: Int32
    target_ids: Int32


class ModelCallEngine:
    """Calls the model on the whole prefix for every token."""

    def __init__(self, network: TokenSeq2Seq) -> None:
        self._network = network

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> Prefix:
        return Prefix(source_ids, np.zeros((len(source_ids), 0), np.int32))

    def step(self, state: Prefix, parents: Int32, tokens: Int32, top_k: int) -> StepResult:
        said = np.concatenate([state.target_ids[parents], tokens[:, None]], axis=1)
        prefix = Prefix(state.source_ids[parents], said)
        logits = self._network({"source_ids": prefix.source_ids, "target_ids": said})[:, -1]
        logprobs, best = ops.top_k(ops.log_softmax(logits), top_k)
        found = [ops.convert_to_numpy(each) for each in (ops.cast(best, "int32"), logprobs)]
        attention_weights = np.zeros(prefix.source_ids.shape, np.float32)
        return StepResult(*found, attention_weights, prefix)

    def join(self, state: Prefix, parents: Int32, newcomers: Prefix) -> Prefix:
        raise NotImplementedError("requests of this benchmark never join a search that runs")


class EagerStepEngine(KerasEngine):
    """Ours, without compiled graphs."""

    def __init__(self, network: TokenSeq2Seq) -> None:
        super().__init__(network)
        self._encode, self._select = self._run_encode, self._run_select
        self._step = self._run_step


def decode(engine: Engine, sources: Int32, beam_size: int) -> None:
    """Answers `sources` `(batch, source_len)` as one batch, `TOKENS` tokens each."""
    options = SearchOptions(beam_size=beam_size, max_tokens=TOKENS)
    search = Search(engine, bos_id=BOS_ID, eos_id=EOS_ID)
    search.add([SearchRequest(i, row.tolist(), options) for i, row in enumerate(sources)])
    while not search.is_idle:
        search.step()


def network_of(recipe: Path, vocab_size: int, model: Path | None) -> TokenSeq2Seq:
    """The network of a recipe with random weights, or that of a model folder; it never ends a
    hypothesis."""
    if model is None:
        keras.utils.set_random_seed(0)
        shape = read_recipe(recipe).network.model_dump()
        sizes = {"source_vocab_size": vocab_size, "target_vocab_size": vocab_size}
        network = TokenSeq2Seq(NetworkConfig(**shape, **sizes))
    else:
        network = load_network(load_folder(model))
    bias = ops.convert_to_numpy(network.projection.bias).copy()
    bias[EOS_ID] = -1e9
    network.projection.bias.assign(bias)
    return network


def shortlist_of(network: TokenSeq2Seq, model: Path | None) -> Shortlist | None:
    """The model's own, or one of random words; None where the model has none."""
    columns = shortlist_columns(network)
    if model is not None:
        path = model / SHORTLIST_FILES[1]
        return (
            replace(Shortlist.from_bytes(path.read_bytes()), **columns) if path.exists() else None
        )
    size = network.config.target_vocab_size
    likely = np.random.default_rng(1).integers(0, size, (size, PROPOSALS)).astype(np.int32)
    return Shortlist(np.arange(size, dtype=np.int32), likely, 256, 512, **columns)


def our_runs(network: TokenSeq2Seq, model: Path | None) -> dict[str, Run]:
    """Name, or `name/threads`, -> how one of our engines decodes."""
    shortlist = shortlist_of(network, model)
    graphs = {precision: graph_files(network, precision).values() for precision in PRECISIONS}
    engines: dict[str, Engine] = {}
    for threads in (1, 2):
        if shortlist is not None:
            files = next(iter(shortlist_files(network, shortlist).values())), shortlist
            engines[f"onnx-int8, shortlist/{threads}"] = OnnxEngine(
                *graphs["int8"], shortlist=files, threads=threads
            )
        engines[f"onnx-int8/{threads}"] = OnnxEngine(*graphs["int8"], threads=threads)
        engines[f"onnx/{threads}"] = OnnxEngine(*graphs["float32"], threads=threads)
    engines["keras"] = KerasEngine(network)
    return {name: partial(decode, engine) for name, engine in engines.items()}


def peer_runs(network: TokenSeq2Seq) -> dict[str, Run]:
    """The same of other people's, and of the plain loops."""
    engines: dict[str, Engine] = {
        "PyTorch int8": TorchEngine(network, is_int8=True),
        "PyTorch": TorchEngine(network, is_int8=False),
        "eager step": EagerStepEngine(network),
        "model(...)": ModelCallEngine(network),
    }
    runs: dict[str, Run] = {name: partial(decode, engine) for name, engine in engines.items()}
    size = network.config.target_vocab_size
    for name, compute_type in (("CTranslate2 int8", "int8"), ("CTranslate2", "float32")):
        settings = ctranslate2_runs(size, compute_type, TOKENS, TransformerSize())
        runs |= {f"{name}/{i}": run for i, run in enumerate(settings)}
    return runs


def median_ms(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each run, in turn, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            took = seconds(run)
            if turn:
                times[name].append(1000 * took)
    return {name: statistics.median(each) for name, each in times.items()}


def seconds(run: Callable[[], None]) -> float:
    """Of one run: the mean of as many as take `ENOUGH` seconds, as a server does one after the
    other. The first, which finds what another engine left in the caches, counts only if it takes as
    long by itself."""
    start = time.perf_counter()
    run()
    if (first := time.perf_counter() - start) > ENOUGH:
        return first
    start, count = time.perf_counter(), 0
    while (took := time.perf_counter() - start) < ENOUGH:
        run()
        count += 1
    return took / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("recipes/multi30k-en-de.toml"))
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--model", type=Path, help="a folder instead of random weights")
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()

    network = network_of(chosen.recipe, chosen.vocabulary, chosen.model)
    size = network.config.source_vocab_size
    draw = np.random.default_rng(0)
    sources = draw.integers(len(SPECIAL_PIECES), size, (32, TOKENS)).astype(np.int32)
    print(f"{chosen.model or chosen.recipe}: {network.count_params():,} weights, {size:,} words")
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, Keras {keras.__version__} on {keras.backend.backend()}, "
        f"ONNX Runtime {version('onnxruntime')}, PyTorch {torch.__version__}, "
        f"CTranslate2 {ctranslate2.__version__}"
    )
    print(f"\n{TOKENS} source and {TOKENS} target tokens, median of {chosen.repeats}\n")
    ratios = "".join(f" x {peer} |" for peer in RATIOS)
    print(f"| batch | search | engine |{ratios} ms | sentences/s |")
    print("|---" * (5 + len(RATIOS)) + "|")
    runs = our_runs(network, chosen.model) | peer_runs(network)
    for batch in (1, 32):
        for beam_size in (1, 4):
            asked = {n: partial(run, sources[:batch], beam_size) for n, run in runs.items()}
            search = "greedy" if beam_size == 1 else f"beam {beam_size}"
            _print_rows(f"{batch} | {search}", batch, median_ms(asked, chosen.repeats))


def _print_rows(task: str, batch: int, every_ms: dict[str, float]) -> None:
    ms = _best_settings(every_ms)
    for name, own in ms.items():
        ratios = " | ".join(f"{ms[peer] / own:.1f}x" for peer in RATIOS)
        speed = f"{own:.1f} | {1000 * batch / own:.3g}"
        print(f"| {task} | {name} | {ratios} | {speed} |", flush=True)


def _best_settings(ms: dict[str, float]) -> dict[str, float]:
    """Of `name/setting`, the fastest setting's figure, under `name`."""
    best: dict[str, float] = {}
    for name, own in ms.items():
        plain = name.partition("/")[0]
        best[plain] = min(own, best.get(plain, own))
    return best


if __name__ == "__main__":
    main()
