"""What the search itself costs: microseconds of a step over an engine that takes none.

    python -m benchmarks.search [--repeats 5] [--tokens 40]

The engine answers every step with numbers that were made beforehand, so what is left is the
search: who sits in which row, what may come, what is kept. Sources have 20 tokens, hypotheses
exactly `--tokens`. Where words are blocked, every request blocks 64: 128 sequences of one to three
tokens. Figures are medians of whole searches, without `add`, divided by their steps.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from model.config import SearchOptions
from model.contract import Limits, StepResult
from model.search.requests import SearchRequest
from model.search.search import Search
from model.types import Bool, Indices, Int32

BOS, EOS, VOCAB = 2, 3, 8000
SOURCE_TOKENS = 20

CASES: dict[str, dict[str, Any]] = {
    "greedy": {},
    "greedy, no_repeat_ngram 3": {"no_repeat_ngram": 3},
    "greedy, repetition_penalty 1.2": {"repetition_penalty": 1.2},
    "beam 4": {"beam_size": 4},
    "beam 4, no_repeat_ngram 3": {"beam_size": 4, "no_repeat_ngram": 3},
    "sample": {"temperature": 1.0, "seed": 1},
}

_draw = np.random.default_rng(1)
BLOCKED = [_draw.integers(4, VOCAB, 1 + place % 3).tolist() for place in range(128)]
#: Searches in which every request blocks those sequences.
BLOCKING: dict[str, dict[str, Any]] = {
    "greedy, 64 words blocked": {},
    "beam 4, 64 words blocked": {"beam_size": 4},
}


class FreeEngine:
    """Returns random tokens, best first, that were drawn when it was made."""

    has_shortlist = False
    compilations = 0

    def __init__(self, rows: int, steps: int = 64, most: int = 64) -> None:
        draw = np.random.default_rng(0)
        self.tokens = draw.integers(4, VOCAB, (steps, rows, most)).astype(np.int32)
        logprobs = -np.sort(draw.exponential(2.0, (rows, most)), axis=1)
        self.logprobs = logprobs.astype(np.float32)
        self.attention_weights = np.full((rows, SOURCE_TOKENS), 1 / SOURCE_TOKENS, np.float32)

    def warm_up(self, limits: Limits) -> None:
        """Compiles nothing."""

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> None:
        return None

    def new_table(self, width: int, *, use_shortlist: bool) -> FreeTable:
        return FreeTable(self)


class FreeTable:
    """Counts steps."""

    def __init__(self, engine: FreeEngine) -> None:
        self._engine = engine
        self._steps = 0

    def insert(self, slots: Indices, encoded: None, sources: Indices) -> None:
        """Does nothing: this engine has no sources."""

    def move(self, origins: Indices, slots: Indices) -> None:
        """Does nothing: this engine has no sources."""

    def free(self, slots: Indices) -> None:
        """Does nothing: this engine has no sources."""

    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        engine, rows, shape = self._engine, tokens.size, (*tokens.shape, -1)
        best = engine.tokens[self._steps % len(engine.tokens), :rows, :top_k]
        self._steps += 1
        return StepResult(
            best.reshape(shape),
            engine.logprobs[:rows, :top_k].reshape(shape),
            engine.attention_weights[:rows].reshape(shape),
        )


def step_us(
    engine: FreeEngine, batch: int, options: SearchOptions, blocked: Sequence[Sequence[int]]
) -> float:
    """Returns the microseconds of one step of `batch` requests."""
    search = Search(engine, bos_id=BOS, eos_id=EOS, blocked_ids=(1,))
    source = tuple(range(4, 4 + SOURCE_TOKENS))
    search.add([SearchRequest(i, source, options, blocked=blocked) for i in range(batch)])
    steps, start = 0, time.perf_counter()
    while not search.is_idle:
        search.step()
        steps += 1
    return 1e6 * (time.perf_counter() - start) / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=40)
    chosen = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}\n")
    print("| search | 1 request, us a step | 64 requests, us a step |\n|---|---|---|")
    engine = FreeEngine(64 * 4)
    for name, own in {**CASES, **BLOCKING}.items():
        options = SearchOptions(max_tokens=chosen.tokens, **own)
        blocked, columns = BLOCKED if name in BLOCKING else (), []
        for batch in (1, 64):
            turns = [step_us(engine, batch, options, blocked) for _ in range(chosen.repeats + 1)]
            columns.append(statistics.median(turns[1:]))
        print(f"| {name} | {columns[0]:.0f} | {columns[1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
