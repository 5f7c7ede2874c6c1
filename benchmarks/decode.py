"""Decoding speed: this project's engines beside plain Keras loops, PyTorch and CTranslate2.

    pip install ctranslate2 torch
    python -m benchmarks.decode [--model models/default] [--repeats 5]

Every hypothesis is made to have exactly 20 tokens, every source has 20; one search drives all
engines, so they do the same work and differ only in how a step is computed. Beside ours
(`onnx-int8`, `onnx`, `keras`) stand:

- `model(...)`: what tutorials do. Calls the Keras model on the source and all tokens so far, for
  each new token.
- `eager step`: encodes once and calls the network's own `step` for each token, uncompiled.
- `PyTorch`, `PyTorch int8`: the same weights in PyTorch's modules, the latter quantised
  dynamically, driven by our search.
- `CTranslate2`, `CTranslate2 int8`: a small Transformer (see `benchmarks/peers.py`) of the same
  vocabulary with random weights, its own search, at the best of its thread settings.

Runs are interleaved (each engine in turn, again and again); figures are medians.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import ctranslate2
import keras
import numpy as np
import onnxruntime
import torch
from keras import ops

from benchmarks.peers import TorchEngine, TransformerSize, ctranslate2_runs
from model.config import SearchOptions
from model.contract import Bool, Engine, Int32, StepResult
from model.engine.keras import KerasEngine, load_network
from model.engine.onnx import OnnxEngine
from model.folder import load_folder
from model.networks.tokens import TokenSeq2Seq
from model.search.beam import Search
from model.search.requests import SearchRequest
from model.tokenizer import BOS_ID, EOS_ID, SPECIAL_PIECES
from training.export import graph_files

TOKENS = 20
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

    def concatenate(self, states: list[Prefix]) -> Prefix:
        raise NotImplementedError("requests of this benchmark never join a search that runs")


class EagerStepEngine(KerasEngine):
    """Ours, without compiled graphs."""

    def __init__(self, network: TokenSeq2Seq) -> None:
        super().__init__(network)
        self._encode, self._select = self._run_encode, self._run_select
        self._step = self._run_step


def decode(engine: Engine, sources: Int32, beam_size: int) -> None:
    """Answers `sources` `(batch, source_len)` as one batch, `TOKENS` tokens each."""
    options = SearchOptions(beam_size=beam_size, min_tokens=TOKENS, max_tokens=TOKENS)
    search = Search(engine, bos_id=BOS_ID, eos_id=EOS_ID)
    search.add([SearchRequest(i, row.tolist(), options) for i, row in enumerate(sources)])
    while not search.is_idle:
        search.step()


def median_ms(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Median milliseconds of each run, in turn, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(each) for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/default")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()

    folder = load_folder(arguments.model)
    network = load_network(folder)
    ours = {
        "onnx-int8": OnnxEngine(*graph_files(network, "int8").values()),
        "onnx": OnnxEngine(*graph_files(network, "float32").values()),
        "keras": KerasEngine(network),
    }
    peers = {
        "PyTorch int8": TorchEngine(network, is_int8=True),
        "PyTorch": TorchEngine(network, is_int8=False),
        "eager step": EagerStepEngine(network),
        "model(...)": ModelCallEngine(network),
    }
    draw = np.random.default_rng(0)
    size = folder.config.network.source_vocab_size
    sources = draw.integers(len(SPECIAL_PIECES), size, (32, TOKENS)).astype(np.int32)

    print(f"{folder.config.name}: {network.count_params():,} weights, vocabulary {size:,}")
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, Keras {keras.__version__} on {keras.backend.backend()}, "
        f"ONNX Runtime {onnxruntime.__version__}"
    )
    print(f"PyTorch {torch.__version__}, CTranslate2 {ctranslate2.__version__}")
    print(f"\n{TOKENS} source and {TOKENS} target tokens, median of {arguments.repeats}\n")
    ratios = "".join(f" x {peer} |" for peer in RATIOS)
    print(f"| batch | search | engine |{ratios} ms | sentences/s |")
    print("|---" * (5 + len(RATIOS)) + "|")
    runs: dict[str, Run] = {
        name: partial(decode, engine) for name, engine in {**ours, **peers}.items()
    }
    for name, compute_type in (("CTranslate2 int8", "int8"), ("CTranslate2", "float32")):
        each = ctranslate2_runs(size, compute_type, TOKENS, TransformerSize())
        runs |= {f"{name}/{i}": run for i, run in enumerate(each)}
    for batch in (1, 32):
        for beam_size in (1, 4):
            asked = {n: partial(run, sources[:batch], beam_size) for n, run in runs.items()}
            ms = _best_settings(median_ms(asked, arguments.repeats))
            search = "greedy" if beam_size == 1 else f"beam {beam_size}"
            for name, own in ms.items():
                ratios = " | ".join(f"{ms[peer] / own:.1f}x" for peer in RATIOS)
                print(
                    f"| {batch} | {search} | {name} | {ratios} | {own:.1f} "
                    f"| {1000 * batch / own:.3g} |",
                    flush=True,
                )


def _best_settings(ms: dict[str, float]) -> dict[str, float]:
    """Of `name/setting`, the fastest setting's figure, under `name`."""
    best: dict[str, float] = {}
    for name, own in ms.items():
        plain = name.partition("/")[0]
        best[plain] = min(own, best.get(plain, own))
    return best


if __name__ == "__main__":
    main()
