"""Decoding speed: this project's engines beside plain Keras loops and other people's engines.

    pip install ctranslate2 torch
    python -m benchmarks.decode [--model FOLDER] [--rounds 5] [--marian PYTHON]

The network is that of a recipe with random weights, or a model's. Every hypothesis is made to have
exactly 20 tokens, every source has 20; everything runs on one thread. One search drives all engines
but CTranslate2 and Marian. Beside ours (`onnx-int8`, with and without a shortlist, `onnx`, `keras`)
stand:

- `model(...)`: what tutorials do. Calls the Keras model on the source and all tokens so far, for
  each new token.
- `eager step`: encodes once and calls the network's own `step` for each token, uncompiled.
- `PyTorch`, `PyTorch int8`: the same weights in PyTorch's modules, the latter quantised
  dynamically, driven by our search.
- `CTranslate2`: Transformers (see `benchmarks/peers.py`) of the same vocabulary, of our size (1 + 1
  layers) and larger (3 + 3), with random weights.
- `Marian int8`: a Transformer of our size, as Firefox runs them (see `benchmarks/marian.py`), where
  `--marian` is a Python that has the wheel `bergamot`.

Contestants run in turn in each round, for a tenth of a second of CPU at least; the first two of
these in one round only. Printed are medians of the CPU time of the process that works, with the
wall time of the quickest run in brackets, and medians of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import tempfile
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

import ctranslate2
import keras
import numpy as np
import torch
from keras import ops

from benchmarks.marian import Marian
from benchmarks.peers import (
    SMALLEST,
    TorchEngine,
    TransformerSize,
    ctranslate2_peer,
    likely_words,
    shortlist_size,
)
from benchmarks.timing import Contestant, Times, measure
from model.config import NetworkConfig, SearchOptions
from model.contract import Engine, Limits, StepResult
from model.engine.keras import KerasEngine, load_network
from model.engine.onnx import OnnxEngine, Precision
from model.engine.shortlist import Shortlist
from model.folder import SHORTLIST_FILES, load_folder
from model.networks.tokens import TokenSeq2Seq
from model.search.requests import SearchRequest
from model.search.search import Search
from model.tokenizer import BOS_ID, EOS_ID, SPECIAL_PIECES
from model.types import Bool, Indices, Int32
from training.export.calibration import Ranges
from training.export.export import graph_files, shortlist_files
from training.export.projection import shortlist_columns
from training.export.shortlist import PROPOSALS
from training.recipe_file import read_recipe

TOKENS = 20
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
#: Batches and beams.
TASKS = ((1, 1), (1, 4), (32, 1), (32, 4))
HEADINGS = " | ".join(
    f"{batch}, {'greedy' if beam == 1 else f'beam {beam}'}" for batch, beam in TASKS
)
#: Beside which the others are measured: who has a shortlist beside the first.
OURS = ("onnx-int8, shortlist", "onnx-int8")
#: Some hundred times slower than the others: measured in one round only.
PLAIN_LOOPS = ("eager step", "model(...)")


class ModelCallEngine:
    """Calls the model on the whole prefix for every token. Its requests all begin at once."""

    has_shortlist = False
    compilations = 0

    def __init__(self, network: TokenSeq2Seq) -> None:
        self._network = network

    def warm_up(self, limits: Limits) -> None:
        """Compiles nothing."""

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> Int32:
        return source_ids

    def new_table(self, width: int, *, use_shortlist: bool) -> PrefixTable:
        return PrefixTable(self._network, width)


class PrefixTable:
    """All that `model(...)` needs: the source and the prefix of each row."""

    def __init__(self, network: TokenSeq2Seq, width: int) -> None:
        self._network = network
        self._width = width

    def insert(self, slots: Indices, encoded: Int32, sources: Indices) -> None:
        self._source_ids = np.repeat(encoded[sources], self._width, axis=0)
        self._target_ids = np.zeros((len(self._source_ids), 0), np.int32)

    def move(self, origins: Indices, slots: Indices) -> None:
        raise NotImplementedError("requests of this benchmark end at once")

    def free(self, slots: Indices) -> None:
        """Does nothing: free slots may be overwritten."""

    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        prefix = self._target_ids if parents is None else self._target_ids[parents.ravel()]
        self._target_ids = np.concatenate([prefix, tokens.reshape(-1, 1)], axis=1)
        inputs = {"source_ids": self._source_ids, "target_ids": self._target_ids}
        logprobs, best = ops.top_k(ops.log_softmax(self._network(inputs)[:, -1]), top_k)
        shape = (*tokens.shape, -1)
        return StepResult(
            ops.convert_to_numpy(ops.cast(best, "int32")).reshape(shape),
            ops.convert_to_numpy(logprobs).reshape(shape),
        )


class EagerStepEngine(KerasEngine):
    """Ours, without compiled graphs."""

    def __init__(self, network: TokenSeq2Seq) -> None:
        super().__init__(network)
        self._encode, self._step = self._run_encode, self._run_step


def decode(engine: Engine, sources: Int32, beam_size: int) -> None:
    """Answers `sources` `(batch, source_len)` as one batch, `TOKENS` tokens each."""
    options = SearchOptions(beam_size=beam_size, max_tokens=TOKENS)
    search = Search(engine, bos_id=BOS_ID, eos_id=EOS_ID)
    search.add([SearchRequest(i, row.tolist(), options) for i, row in enumerate(sources)])
    while not search.is_idle:
        search.step()


def network_of(recipe: Path, vocab_size: int, model: Path | None) -> TokenSeq2Seq:
    """Builds the network of a recipe with random weights, or loads that of a model folder; it never
    ends a hypothesis."""
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
    """Returns the model's shortlist, or one of random words; None if the model has none."""
    others = np.zeros(network.decoder.readout_units), 0.0
    columns: dict[str, Any] = shortlist_columns(network, Ranges(network), others)
    if model is not None:
        path = model / SHORTLIST_FILES[0]
        return (
            replace(Shortlist.from_bytes(path.read_bytes()), **columns) if path.exists() else None
        )
    size = network.config.target_vocab_size
    likely = np.random.default_rng(1).integers(0, size, (size, PROPOSALS)).astype(np.int32)
    return Shortlist(np.arange(size, dtype=np.int32), likely, 256, 512, **columns)


def ours(network: TokenSeq2Seq, model: Path | None) -> dict[str, Contestant]:
    """Builds what runs our network: our engines, the plain loops, and PyTorch."""
    graphs = {precision: graph_files(network, precision).values() for precision in PRECISIONS}
    engines: dict[str, Engine] = {}
    candidates = {}
    if (shortlist := shortlist_of(network, model)) is not None:
        candidates[OURS[0]] = f"{shortlist.size} each"
        files = tuple(shortlist_files(network, shortlist).values())
        engines[OURS[0]] = OnnxEngine(*graphs["int8"], shortlist=files, threads=1)
    engines |= {
        OURS[1]: OnnxEngine(*graphs["int8"], threads=1),
        "onnx": OnnxEngine(*graphs["float32"], threads=1),
        "keras": KerasEngine(network),
        "PyTorch int8": TorchEngine(network, is_int8=True),
        "PyTorch": TorchEngine(network, is_int8=False),
        "eager step": EagerStepEngine(network),
        "model(...)": ModelCallEngine(network),
    }
    vocabularies = {network.config.source_vocab_size, network.config.target_vocab_size}
    shapes = [each.shape for each in network.trainable_variables]
    embeddings = sum(math.prod(s) for s in shapes if len(s) == 2 and vocabularies & {*s})
    weights = network.count_params()
    return {
        name: Contestant(partial(decode, engine), weights, embeddings, candidates.get(name, ""))
        for name, engine in engines.items()
    }


def peers(sources: Int32, likely: Int32, marian: Marian | None) -> dict[str, Contestant]:
    """Builds other people's engines with networks of theirs, those of our size first."""
    found = {}
    together = ", ".join(f"{shortlist_size(sources[:n], likely):,} of {n}" for n in (1, 32))
    for suffix, candidates in ((", shortlist", together), ("", "")):
        if marian is not None:
            found[f"Marian int8, 1 + 1{suffix}"] = marian.contestant(
                replace(SMALLEST, heads=8), likely, candidates
            )
        for name, size in (("1 + 1", SMALLEST), ("3 + 3", TransformerSize())):
            found[f"CTranslate2 int8, {name}{suffix}"] = ctranslate2_peer(
                size, "int8", TOKENS, likely, candidates
            )
    found["CTranslate2, 1 + 1"] = ctranslate2_peer(SMALLEST, "float32", TOKENS, likely, "")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=Path("recipes/multi30k-en-de.toml"))
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--model", type=Path, help="a folder instead of random weights")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--marian", default="python3.10", help="a Python that has bergamot")
    chosen = parser.parse_args()

    torch.set_num_threads(1)
    network = network_of(chosen.recipe, chosen.vocabulary, chosen.model)
    size = network.config.source_vocab_size
    draw = np.random.default_rng(0)
    sources = draw.integers(len(SPECIAL_PIECES), size, (32, TOKENS)).astype(np.int32)
    likely = likely_words(size)
    with tempfile.TemporaryDirectory() as folder:
        marian = None
        if Marian.is_installed(chosen.marian):
            marian = Marian(chosen.marian, Path(folder), TOKENS)
        else:
            print(f"No Marian: {chosen.marian} is absent or lacks bergamot, see --marian.\n")
        contestants = ours(network, chosen.model) | peers(sources, likely, marian)
        loops = {name: contestants[name] for name in PLAIN_LOOPS}
        others = {name: each for name, each in contestants.items() if name not in loops}
        times = [
            measure(others, sources[:batch], beam_size, chosen.rounds)
            | measure(loops, sources[:batch], beam_size, 1)
            for batch, beam_size in TASKS
        ]

    print(
        f"{processor()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, Keras {keras.__version__} on {keras.backend.backend()}, "
        f"ONNX Runtime {version('onnxruntime')}, PyTorch {torch.__version__}, "
        f"CTranslate2 {ctranslate2.__version__}"
    )
    print(f"{TOKENS} source and {TOKENS} target tokens, medians of {chosen.rounds} rounds\n")
    print_times(contestants, times)
    print()
    print_ratios(contestants, times)


def processor() -> str:
    """Returns the processor's name and the instructions that matter for int8."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (ln.partition(":") for ln in lines)}
    known = [flag for flag in facts.get("flags", "").split() if "avx" in flag or "vnni" in flag]
    return f"{facts.get('model name', platform.machine())} ({', '.join(known)})"


def print_times(contestants: dict[str, Contestant], times: list[dict[str, Times]]) -> None:
    """Prints milliseconds of CPU for one batch, and in brackets of the clock in the quickest run,
    the least disturbed by what else the machine does."""
    print(f"| engine | weights, M | without embeddings, M | candidates | {HEADINGS} |")
    print("|---" * (4 + len(TASKS)) + "|")
    for name, contestant in contestants.items():
        others = contestant.weights - contestant.embeddings
        cells = [
            name,
            f"{contestant.weights / 1e6:.1f}",
            f"{others / 1e6:.1f}",
            contestant.candidates or "all",
        ]
        for each in times:
            cpu, wall = statistics.median(each[name].cpu), min(each[name].wall)
            cells.append(f"{1000 * cpu:,.1f} ({1000 * wall:,.1f})")
        print(f"| {' | '.join(cells)} |")


def print_ratios(contestants: dict[str, Contestant], times: list[dict[str, Times]]) -> None:
    """Prints how many times the CPU of ours each takes: of ours with a shortlist if it has one."""
    print(f"| engine | beside | {HEADINGS} |")
    print("|---" * (2 + len(TASKS)) + "|")
    for name, contestant in contestants.items():
        beside = OURS[0] if contestant.candidates and OURS[0] in contestants else OURS[1]
        if name not in OURS:
            ratios = (each[name].cpu_ratio(each[beside]) for each in times)
            print(f"| {name} | {beside} | {' | '.join(f'{each:.2f}' for each in ratios)} |")


if __name__ == "__main__":
    main()
