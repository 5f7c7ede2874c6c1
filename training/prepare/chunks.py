"""Tables of a piece's results on disk, with what is to be counted: whole, or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from training.errors import CorpusError
from training.files.paths import writing


def write_chunk(
    path: Path, schema: pa.Schema, batches: Sequence[pa.RecordBatch], facts: dict[str, Any]
) -> None:
    """Writes `batches`, and `facts` (JSON) in their schema; under another name until complete.

    Raises:
        CorpusError: if it cannot be written.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    schema = schema.with_metadata({"facts": json.dumps(facts)})
    with writing(partial):
        with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(batch.replace_schema_metadata(schema.metadata))
        partial.replace(path)


def open_chunk(path: Path) -> pa.RecordBatchFileReader:
    """Its batches, mapped into memory. Their memory is given back with the last reference.

    Raises:
        CorpusError: if it cannot be read.
    """
    try:
        return pa.ipc.open_file(pa.memory_map(str(path)))
    except (OSError, pa.ArrowInvalid) as error:
        raise CorpusError(f"{path}: cannot be read ({error}).") from None


def facts_of(path: Path) -> dict[str, Any]:
    """What `write_chunk` was given."""
    return dict(json.loads(open_chunk(path).schema.metadata[b"facts"]))


def is_whole(path: Path) -> bool:
    """Whether there is a chunk. A cut one (after a loss of power) is none."""
    try:
        open_chunk(path)
    except CorpusError:
        return False
    return True
