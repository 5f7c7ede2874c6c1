"""Reader of JSON: one record per line, or an array of records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from training.files.archives import open_unpacked, plain_name
from training.files.line_ranges import WHOLE, LineRange
from training.files.paths import read_lines, read_text
from training.files.records import Fault, Records
from training.readers.fields import Fields, records_of
from training.readers.json_values import Row, values_of

NO_FIELDS = Fields()
PEEKED_BYTES = 1024


def read_jsonl(path: Path, fields: Fields = NO_FIELDS, lines: LineRange = WHOLE) -> Records:
    """Reads conversations or pairs, which `training.readers.fields` finds in the records. A record
    is a line; in a `.json`, records may also take several lines, and be in an array.

    Raises:
        CorpusError: if the file cannot be read, or is an array that is too large to be read at
            once.
    """
    return records_of(_rows(path, lines), str(path), fields)


def _rows(path: Path, lines: LineRange) -> Iterator[Row | Fault]:
    if plain_name(path).endswith(".json") and not _has_lines(path):
        yield from values_of(read_text(path), str(path))
        return
    for number, line in read_lines(path, lines):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Fault(f"{path}:{number}", f"not JSON: {error}")


def _has_lines(path: Path) -> bool:
    """Tells whether a file has one record per line, as its first line shows."""
    with open_unpacked(path) as file:
        if file.peek(PEEKED_BYTES)[:PEEKED_BYTES].decode("utf-8-sig", "ignore").lstrip()[:1] == "[":
            return False
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False
