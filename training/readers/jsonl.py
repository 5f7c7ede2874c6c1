"""Reader of JSON: one record per line, or an array of records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from training.files.archives import open_unpacked, plain_name
from training.files.line_ranges import WHOLE, LineRange
from training.files.paths import read_lines, read_text
from training.files.records import Fault, Records
from training.readers.fields import Fields, records_of
from training.readers.json_values import Row, arrays_of, values_of

NO_FIELDS = Fields()
PEEKED_BYTES = 1024
#: How files of intents begin: `{"intents": [{"tag": ..., "patterns": [...], "responses": [...]}]}`.
_INTENTS = re.compile(r'\s*\{[^\[{]*"intents"\s*:\s*\[')


def read_jsonl(path: Path, fields: Fields = NO_FIELDS, lines: LineRange = WHOLE) -> Records:
    """Reads conversations or pairs, which `training.readers.fields` finds in the records. A record
    is a line; in a `.json`, records may also take several lines, and be in an array, or in one that
    is named `intents`.

    Raises:
        CorpusError: if the file cannot be read, or is an array that is too large to be read at
            once.
    """
    return records_of(_rows(path, lines), str(path), fields)


def _rows(path: Path, lines: LineRange) -> Iterator[Row | Fault]:
    if plain_name(path).endswith(".json"):
        head = _head_of(path)
        if _INTENTS.match(head):
            yield from chain.from_iterable(arrays_of(read_text(path), str(path), "intents"))
            return
        if not _has_lines(path, head):
            yield from values_of(read_text(path), str(path))
            return
    for number, line in read_lines(path, lines):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Fault(f"{path}:{number}", f"not JSON: {error}")


def _head_of(path: Path) -> str:
    with open_unpacked(path) as file:
        return file.peek(PEEKED_BYTES)[:PEEKED_BYTES].decode("utf-8-sig", "ignore")


def _has_lines(path: Path, head: str) -> bool:
    """Tells whether a file, which begins with `head`, has one record per line, as its first line
    shows."""
    if head.lstrip()[:1] == "[":
        return False
    first = next((line for _, line in read_lines(path) if line.strip()), "")
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False
