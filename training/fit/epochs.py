"""The training split of an epoch, with messages varied and texts segmented by seed and epoch.

If nothing varies, the split is read as `prepare` wrote it. Otherwise the rows of an epoch are
written to a file before it starts, in batches, so that a corpus need not fit into memory. A run
that resumes within an epoch writes the same file again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa

from training.fit.names import Names, with_names
from training.prepare.prepare import PreparedCorpus
from training.prepare.shards import IDS, SCHEMA, Shard, write_shard
from training.recipe import Recipe, SourceConfig
from training.variants import RATE, Variant, vary

EPOCH_FILE = "epoch.arrow"
#: Share of the sentences to translate that do not vary, as most are read well typed.
KEPT_SENTENCES = 0.5
#: Number of pairs whose names, or replies, other examples may get.
MAX_DRAWN_PAIRS = 200_000

Ids = list[list[int]]


class EpochShards:
    """The training split of each epoch. If something varies, each process writes its own file to
    `folder`."""

    def __init__(
        self, recipe: Recipe, corpus: PreparedCorpus, folder: Path, *, process: int = 0
    ) -> None:
        self._recipe = recipe
        self._corpus = corpus
        self._path = folder / (f"{process}-{EPOCH_FILE}" if process else EPOCH_FILE)
        self._sources = recipe.corpus.sources
        self._names = Names(self._pairs_for("names"))
        self._replies = [reply for _, reply in self._pairs_for("history")]

    def _pairs_for(self, variant: Variant) -> Iterator[tuple[str, str]]:
        """Yields messages and targets if a source has a variant that draws from them."""
        if any(variant in source.variants for source in self._sources):
            yield from self._corpus.train.some_pairs(MAX_DRAWN_PAIRS)

    @property
    def varies(self) -> bool:
        """Tells whether the epochs differ in more than their order."""
        return bool(self._recipe.fit.subword_sampling) or any(
            source.variants for source in self._sources
        )

    def __call__(self, epoch: int) -> Shard:
        """Returns the training split of an epoch, from 0. The previous one may be overwritten.

        Raises:
            CorpusError: if it cannot be written.
        """
        if not self.varies:
            return self._corpus.train
        partial = self._path.with_suffix(".partial")
        write_shard(partial, self._batches(epoch))
        partial.replace(self._path)
        return Shard(self._path)

    def _batches(self, epoch: int) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(self._corpus.train.batches()):
            seeds = np.random.SeedSequence([self._recipe.fit.seed, epoch, number])
            yield self._vary(batch, Random(seeds.generate_state(1).item()))

    def _vary(self, batch: pa.RecordBatch, draw: Random) -> pa.RecordBatch:
        turns: list[list[str]] = batch["source_turns"].to_pylist()
        numbers = batch["source_number"].to_pylist()
        sources, targets = batch["source_ids"].to_pylist(), batch["target_ids"].to_pylist()
        texts = batch["target_text"].to_pylist()
        varied = [i for i, number in enumerate(numbers) if self._sources[number].variants]
        sampled = [
            i for i in range(len(turns)) if draw.random() < self._recipe.fit.subword_sampling
        ]
        for i in varied:
            source = self._sources[numbers[i]]
            if "names" in source.variants:
                turns[i], texts[i] = self._vary_names(turns[i], texts[i], draw)
            turns[i] = self._vary_messages(turns[i], source, draw)
            if "history" in source.variants and len(turns[i]) == 1 and draw.random() < RATE:
                turns[i] = [draw.choice(self._replies), *turns[i]]
        for rows, drawing in ((varied, None), (sampled, draw)):
            replaced = self._replace_sources(sources, rows, [turns[i] for i in rows], drawing)
            found = [texts[i] for i in replaced]
            _replace(targets, replaced, self._corpus.tokenizer.many_target_ids(found, draw=drawing))
        others = batch.select(SCHEMA.names[2:]).columns
        ids = [pa.array(column, IDS) for column in (sources, targets)]
        return pa.record_batch([*ids, *others], schema=SCHEMA)

    def _vary_names(self, turns: list[str], target: str, draw: Random) -> tuple[list[str], str]:
        """Replaces the names that the last turn and the target share, in some pairs."""
        if draw.random() >= RATE:
            return turns, target
        names = self._names.draw_for((turns[-1], target), draw)
        return [with_names(turn, names) for turn in turns], with_names(target, names)

    def _vary_messages(self, turns: Sequence[str], source: SourceConfig, draw: Random) -> list[str]:
        """Varies the last turn, but not its tag, and those before it. Of a dialogue, it leaves
        every second turn, which is a reply; of sentences to translate, it leaves some."""
        if self._recipe.task == "translate" and draw.random() < KEPT_SENTENCES:
            return [*turns]
        language = next(iter(self._recipe.languages), "")
        tag = f"{source.target_tag} " if source.target_tag else ""
        step = 2 if self._recipe.task == "reply" else 1
        is_message = [(len(turns) - 1 - i) % step == 0 for i in range(len(turns))]
        untagged = [*turns[:-1], turns[-1].removeprefix(tag)]
        *before, last = (
            vary(turn, source.variants, language, draw) if varies else turn
            for turn, varies in zip(untagged, is_message, strict=True)
        )
        return [*before, tag + last]

    def _replace_sources(
        self, sources: Ids, rows: list[int], turns: list[list[str]], draw: Random | None
    ) -> list[int]:
        """Replaces sources by the ids of new texts or segmentations; returns the rows of those.
        Messages that became too long lose their oldest tokens; a sentence must be whole, so it
        stays as it was."""
        most, replaced = self._recipe.tokenizer.max_source_tokens, list[int]()
        found = self._corpus.tokenizer.whole_source_ids(turns, draw=draw)
        for row, ids in zip(rows, found, strict=True):
            if self._recipe.task == "reply" or len(ids) <= most:
                sources[row] = ids[-most:]
                replaced.append(row)
        return replaced


def _replace(column: Ids, rows: list[int], values: Ids) -> None:
    for row, value in zip(rows, values, strict=True):
        column[row] = value
