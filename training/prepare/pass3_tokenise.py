"""Third pass: tokenises the kept candidates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from model.tokenizer import Tokenizer
from training.prepare.chunks import chunk_path, is_complete, open_chunk, read_stats, write_chunk
from training.prepare.inputs import Input
from training.prepare.pass2_deduplicate import KEPT, VERDICTS, Verdicts
from training.prepare.report import Tally
from training.prepare.shards import IDS, SCHEMA
from training.prepare.splits import SPLITS, Parts, fraction_of
from training.recipe import Recipe

#: Longer sources and targets are counted with this length.
LONGEST_COUNTED = 512


@dataclass(frozen=True)
class Candidates:
    """Number of a piece and its file of candidates, with split and verdict of each row as indices
    into `SPLITS` and `VERDICTS`, uint8 `(rows,)`."""

    number: int
    path: Path
    parts: Parts
    verdicts: Verdicts


@dataclass
class Tokenise:
    """Job of the third pass: writes the rows of a piece to `folder` unless they exist already.
    `tokenizer_files` are the contents of the tokenizers, source first."""

    recipe: Recipe
    inputs: list[Input]
    tokenizer_files: tuple[bytes, ...]
    folder: Path

    def __call__(self, given: Candidates) -> int:
        """Writes the rows of a piece and returns its number of candidates."""
        path = chunk_path(self.folder, given.number)
        if not is_complete(path):
            self._write(given, path)
        return len(given.verdicts)

    def _write(self, given: Candidates, path: Path) -> None:
        index = read_stats(given.path)["input"]
        tally, batches, order = Tally(), [], []
        counts: dict[str, Any] = {}
        table = open_chunk(given.path).get_batch(0)
        _tally_dropped(table, given.parts, given.verdicts, tally)
        for number, part in enumerate(SPLITS):
            chosen = np.flatnonzero((given.parts == number) & (given.verdicts == KEPT))
            if not len(chosen):
                continue
            rows = table.take(pa.array(chosen))
            batch = self._tokenise(rows, part, index, tally)
            if batch.num_rows:
                counts[part] = _counts_of(batch, self._tokenizer)
            for some, times in self._repeat(batch, part, index):
                batches.append(some)
                order.append([part, times])
        stats = {
            "input": index,
            "tally": tally.to_json(),
            "order": order,
            "counts": counts,
        }
        write_chunk(path, SCHEMA, batches, stats)

    def _tokenise(
        self, rows: pa.RecordBatch, part: str, index: int, tally: Tally
    ) -> pa.RecordBatch:
        turns, targets = rows["source_turns"].to_pylist(), rows["target_text"].to_pylist()
        whole = self._tokenizer.whole_source_ids(turns)
        most = self.recipe.tokenizer.max_source_tokens
        source_ids = [ids[-most:] for ids in whole]
        target_ids = self._tokenizer.many_target_ids(targets)
        counted = whole if self.recipe.task == "translate" else source_ids
        published = rows["is_published"].to_pylist()
        kept: list[int] = []
        for i, origin in enumerate(rows["origin"].to_pylist()):
            rule = self._drop_reason(len(counted[i]), len(target_ids[i]), published[i])
            tally.add(f"{part}: {rule or 'kept'}", origin, turns[i][-1], targets[i])
            if not rule:
                kept.append(i)
        texts = rows.select(["source_turns", "target_text", "origin"]).take(
            pa.array(kept, pa.int64())
        )
        ids = [pa.array([of[i] for i in kept], IDS) for of in (source_ids, target_ids)]
        numbers = pa.array(np.full(len(kept), index, np.uint16))
        return pa.record_batch([*ids, *texts.columns, numbers], schema=SCHEMA)

    def _drop_reason(self, source_len: int, target_len: int, is_published: bool) -> str | None:
        corpus = self.recipe.corpus
        if source_len < 2 or not target_len:
            return "empty"
        if is_published:
            return None
        most = corpus.max_source_tokens
        if self.recipe.task == "translate":  # no source is cut, or a target would have more to say
            most = min(most, self.recipe.tokenizer.max_source_tokens)
        if source_len > most:
            return "source too long"
        return "target too long" if target_len > corpus.max_target_tokens else None

    def _repeat(
        self, batch: pa.RecordBatch, part: str, index: int
    ) -> list[tuple[pa.RecordBatch, int]]:
        """Returns rows with their number of repetitions. The fractional part of `repeat` is the
        probability of one more repetition."""
        repeat = self.inputs[index].source.repeat if part == "train" else 1.0
        times = int(repeat)
        rest = repeat - times
        found = [(batch, times)] if times else []
        if rest:
            origins = batch["origin"].to_pylist()
            drawn = [i for i, name in enumerate(origins) if fraction_of(name, "repeat") < rest]
            found.append((batch.take(pa.array(drawn, pa.int64())), 1))
        return found

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer(self.recipe.tokenizer, *self.tokenizer_files)


def _tally_dropped(table: pa.RecordBatch, parts: Parts, verdicts: Verdicts, tally: Tally) -> None:
    dropped = np.flatnonzero(verdicts != KEPT)
    rows = table.take(pa.array(dropped))
    columns = (rows[name].to_pylist() for name in ("origin", "source_turns", "target_text"))
    for i, origin, turns, target in zip(dropped, *columns, strict=True):
        kind = f"{SPLITS[parts[i]]}: {VERDICTS[verdicts[i]]}"
        tally.add(kind, origin, turns[-1], target)


def _counts_of(batch: pa.RecordBatch, tokenizer: Tokenizer) -> dict[str, Any]:
    """Counts each length and each piece on both sides."""
    found = {}
    for side, size in (
        ("source", tokenizer.source_vocab_size),
        ("target", tokenizer.target_vocab_size),
    ):
        ids = batch[f"{side}_ids"]
        lengths = np.minimum(np.diff(np.asarray(ids.offsets)), LONGEST_COUNTED)
        found[side] = {
            "lengths": np.bincount(lengths).tolist(),
            "pieces": np.bincount(np.asarray(ids.values), minlength=size).tolist(),
        }
    return found
