"""Reader of tables with named columns: `.csv` (commas or semicolons) and `.tsv` (tabs)."""

from __future__ import annotations

import csv
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from training.errors import CorpusError
from training.files.archives import plain_name
from training.files.paths import read_lines
from training.files.records import Fault, Records
from training.readers.fields import Fields, records_of
from training.readers.json_values import Row

SEPARATORS = ",;\t|"
#: Lines in which separators are counted.
SEPARATED_LINES = 5
#: A field in quotation marks, whose commas and line breaks separate nothing, and what is before it.
_QUOTED = re.compile(r'(^|[,;\t|])"(?:[^"]|"")*("|\Z)', re.MULTILINE)
#: The first line in which Excel names the separator.
EXCEL_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_UNCLOSED_QUOTE = "a quotation mark is not closed"


def read_table(path: Path, fields: Fields) -> Records:
    """Reads a table whose first row names its columns. Columns that are given as numbers, from 1,
    are those of a table without such a row.

    With several columns each row is an example: the last answers or translates those before it. A
    single column has a turn in each row, and neighbours with the same `group_column` are a
    conversation. In a `.tsv` a quotation mark is text; in a `.csv` it encloses a field, which may
    contain line breaks. A mark that is never closed costs the line that it is in.

    Raises:
        CorpusError: if a column is missing.
    """
    return records_of(read_rows(path, fields.given()), str(path), fields)


def separator_of(lines: Sequence[str]) -> str:
    """Returns the separator of which most rows have as many as the first, outside of quoted
    fields; of several, one that texts hardly contain, and the most frequent one."""
    rows = _QUOTED.sub(r"\1", "\n".join(lines)).split("\n")

    def rank(separator: str) -> tuple[int, bool, int]:
        first, *others = (row.count(separator) for row in rows)
        return (1 + others.count(first), separator != ",", first) if first else (0, False, 0)

    return max(SEPARATORS, key=rank)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[Row | Fault]:
    """Reads the cells of some columns, by column, in each row of a table; see `read_table`."""
    table = _Table(path)
    indices = _column_indices(columns, table)
    table.min_fields = max(indices) + 1
    for found in table.rows():
        if isinstance(found, Fault):
            yield found
        else:
            line, cells = found
            yield line, {n: cells[i].strip() for n, i in zip(columns, indices, strict=True)}


def _column_indices(wanted: Sequence[str], table: _Table) -> list[int]:
    """Returns the indices of the columns, from 0. Reads the row of names if they are names."""
    if all(name.isdecimal() and int(name) > 0 for name in wanted):
        return [int(name) - 1 for name in wanted]
    header = next(table.rows(), (1, []))
    names = [] if isinstance(header, Fault) else [name.strip() for name in header[1]]
    missing = [name for name in wanted if name not in names]
    if missing and any("\ufffd" in name for name in names):
        raise CorpusError(
            f"{table.path}: its first row holds bytes that are not UTF-8 text. Save the table in "
            'UTF-8 (in Excel: "CSV UTF-8").'
        )
    if missing:
        raise CorpusError(
            f"{table.path}: has no column {' or '.join(missing)}. "
            f"Its columns: {', '.join(names)[:200]}."
        )
    table.max_fields = len(names)
    return [names.index(name) for name in wanted]


class _Table:
    """The rows of a file.

    Args:
        path: the table.

    Attributes:
        min_fields, max_fields: number of fields that a row must and may have.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.min_fields, self.max_fields = 1, sys.maxsize
        self._lines = read_lines(path)
        self._pushed_back: deque[tuple[int, str]] = deque()
        self._has_quotes = not plain_name(path).endswith(".tsv")
        self._separator = self._find_separator()

    def rows(self) -> Iterator[tuple[int, list[str]] | Fault]:
        """Yields the first line and the fields of each row that is not empty."""
        while numbered := self._next_line():
            line, text = numbered
            if self._has_quotes and '"' in text:
                fields, reason = self._read_quoted_row(line, text)
            else:
                fields, reason = text.split(self._separator), ""
            reason = reason or self._field_count_error(fields)
            if reason and any(fields):
                yield Fault(f"{self.path}:{line}", reason)
            elif any(fields):
                yield line, fields

    def _find_separator(self) -> str:
        """Finds the separator in a line of Excel that names it, or by counting in the first
        rows."""
        first = list(islice(self._lines, SEPARATED_LINES))
        named = EXCEL_SEPARATOR.fullmatch(first[0][1]) if first else None
        self._pushed_back.extend(first[1:] if named else first)
        if named:
            return named[1]
        return separator_of([text for _, text in first if text]) if self._has_quotes else "\t"

    def _next_line(self) -> tuple[int, str] | None:
        return self._pushed_back.popleft() if self._pushed_back else next(self._lines, None)

    def _read_quoted_row(self, line: int, text: str) -> tuple[list[str], str]:
        """Returns the fields of a row, and what is wrong with it or "".

        The row continues in the next lines while a quotation mark is open. If it is wrong, it ends
        with its first line, and the next row begins in the next line.
        """
        consumed = [(line, text)]

        def lines() -> Iterator[str]:
            yield f"{text}\n"
            while numbered := self._next_line():
                consumed.append(numbered)
                yield f"{numbered[1]}\n"

        with suppress(csv.Error):  # then the mark is no quotation mark: the line is a row by itself
            fields = next(csv.reader(lines(), delimiter=self._separator, strict=True))
            if len(consumed) == 1 or not self._field_count_error(fields):
                return fields, ""
        self._pushed_back.extendleft(reversed(consumed[1:]))
        try:  # a mark within an enclosed field is no damage: "a "b" c",d
            fields = next(csv.reader([f"{text}\n"], delimiter=self._separator))
        except csv.Error as error:
            return [text], f"not a table's row: {error}"
        return fields, _UNCLOSED_QUOTE if fields[-1].endswith("\n") else ""

    def _field_count_error(self, fields: list[str]) -> str:
        """Returns why a row is wrong, or "". Fields beyond the named columns may be empty."""
        if len(fields) < self.min_fields:
            return f"has {len(fields)} columns, expected {self.min_fields}"
        if any(fields[self.max_fields :]):
            return f"has {len(fields)} columns, expected {self.max_fields}"
        return ""
