"""Tables with named columns: `.csv` (commas or semicolons) and `.tsv` (tabs)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain, groupby
from pathlib import Path

from training.corpus.files import read_lines
from training.corpus.packed import plain_name
from training.corpus.readers.dialogue import exchanges_of
from training.corpus.records import Example, Fault, Records
from training.errors import CorpusError

Row = tuple[int, list[str], str]  # its line, the texts of its columns, its group

SEPARATORS = ",;\t|"


def read_table(path: Path, columns: tuple[str, ...], group_column: str = "") -> Records:
    """Texts of a table whose first row names its columns. Columns that are named by numbers, from
    1, are those of a table without such a row.

    Several `columns` are an example in each row: the last answers or translates those before it.
    A single one holds a turn in each row, and neighbours with the same `group_column` are a
    conversation. In a `.tsv` a quotation mark is text; in a `.csv` it encloses a field.

    Args:
        path: the table.
        columns: which of its columns are read.
        group_column: tells what belongs together: a conversation, a film.

    Raises:
        CorpusError: if it has no such column.
    """
    wanted = (*columns, group_column) if group_column else columns
    rows = _rows(path, wanted, has_group=bool(group_column))
    if len(columns) > 1:
        yield from _examples(path, rows)
    else:
        yield from _conversations(path, rows)


def _examples(path: Path, rows: Iterator[Row | Fault]) -> Records:
    for row in rows:
        if isinstance(row, Fault):
            yield row
            continue
        line, (*source, target), group = row
        yield Example(tuple(source), target, group or source[0], f"{path}:{line}")


def _conversations(path: Path, rows: Iterator[Row | Fault]) -> Records:
    for group, members in groupby(rows, lambda row: None if isinstance(row, Fault) else row[2]):
        turns = []
        for row in members:
            if isinstance(row, Fault):
                yield row
            else:
                turns.append((row[0], row[1][0]))
        yield from exchanges_of(turns, group=f"{path}:{group}", origin=str(path))


def _rows(path: Path, wanted: tuple[str, ...], *, has_group: bool) -> Iterator[Row | Fault]:
    table = _fields(path)
    places = _places(path, wanted, table)
    for found in table:
        if isinstance(found, Fault):
            yield found
            continue
        line, fields = found
        if len(fields) <= max(places):
            yield Fault(f"{path}:{line}", f"has {len(fields)} columns, expected {max(places) + 1}")
            continue
        texts = [fields[place].strip() for place in places]
        yield (line, texts[:-1], texts[-1]) if has_group else (line, texts, "")


def _places(
    path: Path, wanted: tuple[str, ...], table: Iterator[tuple[int, list[str]] | Fault]
) -> list[int]:
    """Where the columns are, from 0. Reads the row of names if they have names."""
    if all(name.isdecimal() and int(name) > 0 for name in wanted):
        return [int(name) - 1 for name in wanted]
    header = next(table, (1, []))
    names = [] if isinstance(header, Fault) else [name.strip() for name in header[1]]
    missing = [name for name in wanted if name not in names]
    if missing:
        raise CorpusError(
            f"{path}: has no column {' or '.join(missing)}. Its columns: {', '.join(names)[:200]}."
        )
    return [names.index(name) for name in wanted]


def _fields(path: Path) -> Iterator[tuple[int, list[str]] | Fault]:
    """The fields of each row that has any, and the line where it begins."""
    lines = (f"{line}\n" for _, line in read_lines(path))
    first = next(lines, "")
    is_tsv = plain_name(path).endswith(".tsv")
    reader = csv.reader(
        chain([first], lines),
        delimiter="\t" if is_tsv else max(SEPARATORS, key=first.count),
        quoting=csv.QUOTE_NONE if is_tsv else csv.QUOTE_MINIMAL,
    )
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Fault(f"{path}:{start}", f"not a table's row: {error}")
            continue
        if any(fields):
            yield start, fields
