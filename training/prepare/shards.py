"""Shards: tokenised examples on disk, one Arrow file per split, memory-mapped for reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute

from model.tokenizer import PAD_ID
from model.types import Int32, Int64
from training.errors import CorpusError
from training.files.paths import writing
from training.prepare.chunks import open_chunk

IDS = pa.list_(pa.int32())
SCHEMA = pa.schema(
    {
        "source_ids": IDS,  # ends with the end of sentence
        "target_ids": IDS,  # without begin and end of sentence
        "source_turns": pa.list_(pa.string()),  # the untokenised texts
        "target_text": pa.string(),
        "origin": pa.string(),  # `file:line`
        "source_number": pa.uint16(),  # index of the recipe's source
    }
)


class Sequences:
    """A column of id lists, as views of its batches."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._offsets: list[Int32] = [np.asarray(chunk.offsets) for chunk in column.chunks]
        self._values: list[Int32] = [np.asarray(chunk.values) for chunk in column.chunks]
        self._starts = np.cumsum([0, *map(len, column.chunks)], dtype=np.int64)[:-1]

    @cached_property
    def lengths(self) -> Int32:
        """Returns the length of each list, `(lists,)`."""
        lengths = [np.diff(offsets) for offsets in self._offsets]
        return np.concatenate([np.zeros(0, np.int32), *lengths], dtype=np.int32)

    def counts(self, size: int) -> Int64:
        """Counts each id below `size` in the lists, `(size,)`."""
        counts = np.zeros(size, np.int64)
        for offsets, values in zip(self._offsets, self._values, strict=True):
            counts += np.bincount(values[offsets[0] : offsets[-1]], minlength=size)
        return counts

    def take(self, indices: Int64) -> list[Int32]:
        """Returns the lists at `indices`, in their order."""
        chunks = np.searchsorted(self._starts, indices, side="right") - 1
        rows = indices - self._starts[chunks]
        return [
            self._values[chunk][slice(*self._offsets[chunk][row : row + 2])]
            for chunk, row in zip(chunks.tolist(), rows.tolist(), strict=True)
        ]


class Shard:
    """One split of a corpus, read-only.

    Args:
        path: an Arrow file that `write_shard` wrote.

    Attributes:
        sources: tokens of each source, with the end of sentence.
        targets: tokens of each target, without it.

    Raises:
        CorpusError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._table = open_chunk(path).read_all()
        if not self._table.schema.equals(SCHEMA):
            raise CorpusError(f"{path}: was written by another release. Prepare again.")
        self.sources = Sequences(self._table["source_ids"])
        self.targets = Sequences(self._table["target_ids"])

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def source_turns(self, index: int) -> list[str]:
        """Returns the texts of a source, oldest turn first."""
        return list(self._table["source_turns"][index].as_py())

    def target_text(self, index: int) -> str:
        """Returns the text of a target."""
        return str(self._table["target_text"][index].as_py())

    def pairs_of(self, sources: Sequence[int]) -> dict[str, str]:
        """Returns the target of each source, which is one text, among the examples of some of the
        recipe's sources, given by their indices; the first of equal ones."""
        chosen = pa.compute.is_in(self._table["source_number"], pa.array(sources, pa.uint16()))
        pairs = dict[str, str]()
        for row in self._table.filter(chosen).select(["source_turns", "target_text"]).to_pylist():
            pairs.setdefault(row["source_turns"][-1], row["target_text"])
        return pairs

    def some_pairs(self, most: int) -> Iterator[tuple[str, str]]:
        """Yields the last turn and the target of at most `most` examples, evenly spaced."""
        for i in evenly_spaced(len(self), most).tolist():
            yield self.source_turns(i)[-1], self.target_text(i)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yields all rows, in batches of `SCHEMA`."""
        yield from self._table.to_batches()

    def origin(self, index: int) -> str:
        """Returns the location of an example, `file:line`."""
        return str(self._table["origin"][index].as_py())


def padded(rows: Sequence[Int32]) -> Int32:
    """Returns the ids of several examples, `(len(rows), longest)`, padded at the right."""
    ids = np.full((len(rows), max(map(len, rows))), PAD_ID, np.int32)
    for row, own in zip(ids, rows, strict=True):
        row[: len(own)] = own
    return ids


def evenly_spaced(count: int, most: int) -> Int64:
    """Returns at most `most` evenly spaced indices from 0 to `count` - 1, both included: a fair
    sample, since neighbours in a corpus are similar."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)


def write_shard(path: Path, batches: Iterable[pa.RecordBatch]) -> int:
    """Writes `batches` of `SCHEMA` as a stream. Returns the number of rows.

    Raises:
        CorpusError: if it cannot be written.
    """
    count = 0
    with (
        writing(path),
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, SCHEMA) as writer,
    ):
        for batch in batches:
            if batch.num_rows:
                writer.write_batch(batch.replace_schema_metadata(None))
                count += batch.num_rows
    return count
