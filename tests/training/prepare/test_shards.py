from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from training.errors import CorpusError
from training.prepare.shards import SCHEMA, Shard, evenly_spaced, write_shard

ROWS: list[dict[str, Any]] = [
    {
        "source_ids": [5 + i, 6, 3],
        "target_ids": list(range(7, 7 + i % 4)),
        "source_turns": ["hi", f"turn {i}"],
        "target_text": f"caf\u00e9 {i}",
        "origin": f"f:{i}",
    }
    for i in range(25)
]
#: Of any size; an empty one is left out.
BATCHES = [
    pa.RecordBatch.from_pylist(rows, SCHEMA)
    for rows in (ROWS[:10], ROWS[10:11], [], ROWS[11:20], ROWS[20:])
]


@pytest.fixture
def shard(tmp_path: Path) -> Shard:
    assert write_shard(tmp_path / "train.arrow", iter(BATCHES)) == len(ROWS)
    return Shard(tmp_path / "train.arrow")


def test_ids_come_back_in_the_order_that_is_asked_for(shard: Shard) -> None:
    indices = np.array([24, 0, 9, 10, 10, 19, 20])
    for found, wanted in (
        (shard.sources.take(indices), [ROWS[i]["source_ids"] for i in indices]),
        (shard.targets.take(indices), [ROWS[i]["target_ids"] for i in indices]),
    ):
        assert [list(ids) for ids in found] == wanted
        assert all(ids.dtype == np.int32 for ids in found)


def test_lengths_are_known_without_reading_a_row(shard: Shard) -> None:
    assert len(shard) == len(ROWS)
    assert shard.sources.lengths.dtype == shard.targets.lengths.dtype == np.int32
    assert list(shard.sources.lengths) == [3] * len(ROWS)
    assert list(shard.targets.lengths) == [len(row["target_ids"]) for row in ROWS]


def test_texts_come_back(shard: Shard) -> None:
    assert shard.source_turns(12) == ["hi", "turn 12"]
    assert shard.target_text(12) == "caf\u00e9 12"
    assert shard.origin(12) == "f:12"


def test_a_part_may_be_empty(tmp_path: Path) -> None:
    assert write_shard(tmp_path / "test.arrow", []) == 0
    shard = Shard(tmp_path / "test.arrow")
    assert len(shard) == 0
    assert len(shard.sources.lengths) == 0
    assert shard.sources.take(np.array([], np.int64)) == []


@pytest.mark.parametrize("content", [None, b"", b"no arrow file at all"])
def test_a_missing_or_broken_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "train.arrow"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"train\.arrow"):
        Shard(path)


def test_a_file_that_was_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.arrow"
    write_shard(path, BATCHES)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorpusError, match=r"train\.arrow"):
        Shard(path)


def test_a_file_of_other_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.arrow"
    table = pa.table({"source_ids": [[1, 2]]})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(CorpusError, match="another release"):
        Shard(path)


def test_a_sample_is_spread_over_the_whole() -> None:
    assert evenly_spaced(101, 5).tolist() == [0, 25, 50, 75, 100]
    for count in (1, 2, 7, 4999, 5000):
        assert evenly_spaced(count, 5000).tolist() == list(range(count))
    assert len(set(evenly_spaced(5003, 5000).tolist())) == 5000
