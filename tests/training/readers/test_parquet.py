from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.errors import CorpusError
from training.files.records import Example, Fault
from training.readers.fields import Fields
from training.readers.parquet import read_parquet


def write(path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


def test_pairs_are_read_over_row_groups(tmp_path: Path) -> None:
    rows = [{"id": i, "translation": {"en": f"e{i}", "de": f"d{i}"}} for i in range(5)]
    path = write(tmp_path / "a.parquet", rows, row_group_size=2)
    found = list(read_parquet(path, Fields(languages=("en", "de"))))
    assert found == [Example((f"e{i}",), f"d{i}", f"e{i}", f"{path}:{i + 1}") for i in range(5)]


def test_conversations_are_lists(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    path = write(tmp_path / "a.parquet", [{"messages": messages}, {"messages": None}])
    example, fault = read_parquet(path, Fields())
    assert example == Example(("a",), "b", f"{path}:1", f"{path}:1:2")
    assert isinstance(fault, Fault)
    assert fault.origin == f"{path}:2"


def test_packed_files_are_read(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.parquet", [{"source": "a", "target": "b"}])
    packed = tmp_path / "a.parquet.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    [example] = read_parquet(packed, Fields())
    assert isinstance(example, Example)


def test_bytes_that_are_no_text_cost_their_row_only(tmp_path: Path) -> None:
    raw = pa.array([b"a", b"caf\xe9", b"c"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"source": text, "target": ["x", "y", "z"]}), path)
    first, fault, last = read_parquet(path, Fields())
    assert isinstance(first, Example)
    assert isinstance(fault, Fault)
    assert fault.origin == f"{path}:2"
    assert isinstance(last, Example)


def test_a_broken_row_group_costs_no_other(tmp_path: Path) -> None:
    rows = [{"source": f"a{i}" * 50, "target": "b"} for i in range(4)]
    path = write(tmp_path / "a.parquet", rows, row_group_size=2, compression="zstd")
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    fault, *examples = read_parquet(path, Fields())
    assert isinstance(fault, Fault)
    assert fault.origin == f"{path}:1"
    assert [each.origin for each in examples] == [f"{path}:3", f"{path}:4"]


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        (Fields(columns=("question", "answer")), "question or answer"),
        (Fields(columns=("text",), group_column="talk"), "talk"),
        (Fields(), "of a conversation or pair"),
    ],
)
def test_missing_columns_are_named_with_those_that_are_there(
    tmp_path: Path, fields: Fields, missing: str
) -> None:
    path = write(tmp_path / "a.parquet", [{"id": 1, "text": "a"}])
    with pytest.raises(CorpusError, match=f"has no column {missing}. Its columns: id, text"):
        list(read_parquet(path, fields))


@pytest.mark.parametrize("content", [b"", b"no Parquet", b"PAR1" * 10])
def test_another_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="not Parquet: "):
        list(read_parquet(path, Fields()))
