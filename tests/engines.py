"""An engine that a person can work out: what follows a token stands in a table."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike

from model.contract import Limits, StepResult
from model.types import Bool, Float32, Indices, Int32


class TableEngine:
    """An engine whose next token depends on the last one only, by a table `(V, V)` that the first
    id of the source picks. Token t looks at position t of its source, modulo its length. How much
    padding is told changes from step to step."""

    has_shortlist = True
    compilations = 0

    def __init__(self, *tables: ArrayLike) -> None:
        with np.errstate(divide="ignore"):
            self.logprobs = np.log(np.array(tables, np.float32))
        self.padding = itertools.cycle((0, 2, 1))

    def warm_up(self, limits: Limits) -> None:
        self.limits = limits

    def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> Int32:
        return np.stack([source_ids[:, 0] % len(self.logprobs), source_lengths])

    def new_table(self, width: int, *, use_shortlist: bool) -> Table:
        return Table(self)

    def step(
        self, sources: Int32, tokens: Int32, top_k: int, wanted: Int32 | None = None
    ) -> StepResult:
        """Takes a step of slots with the tables and the lengths of `sources` `(2, slots)`. The rest
        is as in `model.contract.StateTable.step`."""
        tables, lengths = sources[:, :, None]
        logprobs: Float32 = self.logprobs[tables, tokens]
        best = np.argsort(-logprobs, axis=2, kind="stable")[:, :, :top_k].astype(np.int32)
        places = np.arange(lengths.max() + next(self.padding))
        looked = places == (tokens % np.maximum(lengths, 1))[..., None]
        return StepResult(
            best,
            np.take_along_axis(logprobs, best, axis=2),
            looked.astype(np.float32),
            None if wanted is None else np.take_along_axis(logprobs, wanted, axis=2),
        )


class Table:
    """The sources of a table engine's requests, which are all their state."""

    def __init__(self, engine: TableEngine) -> None:
        self._engine = engine
        self._sources = np.zeros((2, 0), np.int32)

    def insert(self, slots: Indices, encoded: Int32, sources: Indices) -> None:
        missing = max(0, int(slots.max()) + 1 - self._sources.shape[1])
        self._sources = np.pad(self._sources, ((0, 0), (0, missing)))
        self._sources[:, slots] = encoded[:, sources]

    def move(self, origins: Indices, slots: Indices) -> None:
        self._sources[:, slots] = self._sources[:, origins]

    def free(self, slots: Indices) -> None:
        """Needs to know of none."""

    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        count, width = tokens.shape
        if parents is not None:
            assert (parents // width == np.arange(count)[:, None]).all()
        self._sources = self._sources[:, :count]
        return self._engine.step(self._sources, tokens, top_k, wanted)
