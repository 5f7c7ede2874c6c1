"""Reader of Parquet, in which Hugging Face and others publish data sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyarrow import ArrowException, BufferReader
from pyarrow.types import is_struct

from training.errors import CorpusError
from training.files.archives import SINGLE, archive_of
from training.files.paths import read_bytes
from training.files.records import Fault, Records
from training.readers.fields import TRANSLATION, Fields, records_of
from training.readers.json_values import Row

BATCH_ROWS = 1000


def read_parquet(path: Path, fields: Fields) -> Records:
    """Reads conversations or pairs, which `training.readers.fields` finds in the records. Rows are
    counted from 1. Memory holds a part of a row group, but the whole of a packed file.

    Raises:
        CorpusError: if it is not Parquet, or lacks the columns.
    """
    with _open(path) as file:
        names = list(map(str, file.schema_arrow.names))
        columns = [name for name in names if name in fields.names()]
        missing = [each for each in fields.given() if {each, each.split(".")[0]}.isdisjoint(names)]
        if missing or not columns:
            what = " or ".join(missing) or "of a conversation or pair"
            raise CorpusError(
                f"{path}: has no column {what}. Its columns: {', '.join(names)[:200]}."
            )
        yield from records_of(_rows(path, file, columns), str(path), fields)


def column_names(path: Path) -> list[str]:
    """Returns the names of the columns of a file, and of the languages in a translation.

    Raises:
        CorpusError: if it is not Parquet.
    """
    with _open(path) as file:
        schema = file.schema_arrow
    inner = [field.type for field in schema if field.name == TRANSLATION and is_struct(field.type)]
    return [*map(str, schema.names), *(side.name for translation in inner for side in translation)]


def _open(path: Path) -> Any:
    from pyarrow.parquet import ParquetFile  # takes a while, and is rarely needed

    is_packed = path.suffix.lower() in SINGLE or archive_of(path)
    try:
        return ParquetFile(BufferReader(read_bytes(path)) if is_packed else path)
    except (ArrowException, OSError) as error:
        raise CorpusError(f"{path}: not Parquet: {_first_line(error)}") from None


def _rows(path: Path, file: Any, columns: list[str]) -> Iterator[Row | Fault]:
    """Yields the rows of all row groups; a broken group ends with a fault, and the next is read."""
    first = 1
    for group in range(file.num_row_groups):
        number = first
        try:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=columns):
                yield from _rows_of(path, batch, number)
                number += batch.num_rows
        except (ArrowException, OSError) as error:
            yield Fault(f"{path}:{number}", f"its row group is broken: {_first_line(error)}")
        first += file.metadata.row_group(group).num_rows


def _rows_of(path: Path, batch: Any, number: int) -> Iterator[Row | Fault]:
    try:
        yield from enumerate(batch.to_pylist(), start=number)
    except ValueError:  # no text, or a date that Python does not know: in some of the rows
        for place in range(batch.num_rows):
            try:
                yield number + place, batch.slice(place, 1).to_pylist()[0]
            except ValueError as error:
                yield Fault(f"{path}:{number + place}", f"cannot be read: {error}")


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0][:200]
