"""Tokenised examples on disk: one Arrow file for each part, memory-mapped for reading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from training.errors import CorpusError

ROWS_OF_A_CHUNK = 20_000
SCHEMA = pa.schema(
    {
        "source_ids": pa.list_(pa.int32()),
        "target_ids": pa.list_(pa.int32()),
        "source_turns": pa.list_(pa.string()),
        "target_text": pa.string(),
        "origin": pa.string(),
    }
)

Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Row:
    """One example, tokenised.

    Attributes:
        source_ids: what the encoder reads, the end of sentence last.
        target_ids: the target without begin and end of sentence.
        source_turns, target_text: the texts they stand for.
        origin: `file:line`.
    """

    source_ids: list[int]
    target_ids: list[int]
    source_turns: tuple[str, ...]
    target_text: str
    origin: str


class _Sequences:
    """A column of id lists, as views on its chunks; all of them but the last are equally long."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._offsets: list[Int32] = [np.asarray(chunk.offsets) for chunk in column.chunks]
        self._values: list[Int32] = [np.asarray(chunk.values) for chunk in column.chunks]
        lengths = [np.diff(offsets) for offsets in self._offsets]
        self.lengths: Int32 = np.concatenate([np.zeros(0, np.int32), *lengths], dtype=np.int32)
        self._rows_of_a_chunk = len(lengths[0]) if lengths else 1

    def __getitem__(self, index: int) -> Int32:
        chunk, row = divmod(int(index), self._rows_of_a_chunk)
        start, end = self._offsets[chunk][row : row + 2]
        return self._values[chunk][start:end]


class Shard:
    """One part of a corpus, read only.

    Args:
        path: an Arrow file that `write_shard` wrote.

    Raises:
        CorpusError: if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        except (OSError, pa.ArrowInvalid) as error:
            raise CorpusError(f"{path}: cannot be read ({error}). Prepare again.") from None
        self._sources = _Sequences(self._table["source_ids"])
        self._targets = _Sequences(self._table["target_ids"])

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @property
    def source_lengths(self) -> Int32:
        """Tokens of each source, its end of sentence counted, `(examples,)`."""
        return self._sources.lengths

    @property
    def target_lengths(self) -> Int32:
        """Tokens of each target, `(examples,)`."""
        return self._targets.lengths

    def source_ids(self, indices: NDArray[np.int64]) -> list[Int32]:
        """Sources, in the order of `indices`."""
        return [self._sources[i] for i in indices]

    def target_ids(self, indices: NDArray[np.int64]) -> list[Int32]:
        """Targets, in the order of `indices`."""
        return [self._targets[i] for i in indices]

    def source_turns(self, index: int) -> list[str]:
        """The texts of a source, oldest turn first."""
        return list(self._table["source_turns"][index].as_py())

    def target_text(self, index: int) -> str:
        """The text of a target."""
        return str(self._table["target_text"][index].as_py())

    def origin(self, index: int) -> str:
        """Where an example stands: `file:line`."""
        return str(self._table["origin"][index].as_py())


def write_shard(path: Path, rows: Iterable[Row]) -> int:
    """Writes `rows` as a stream. Returns how many there were."""
    count, remaining = 0, iter(rows)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, SCHEMA) as writer:
        while chunk := list(islice(remaining, ROWS_OF_A_CHUNK)):
            columns = [[getattr(row, name) for row in chunk] for name in SCHEMA.names]
            arrays = [
                pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=SCHEMA))
            count += len(chunk)
    return count
