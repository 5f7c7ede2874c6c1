"""Tables with the results of a piece on disk, with statistics; written atomically."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from training.errors import CorpusError
from training.files.paths import writing


def chunk_path(folder: Path, number: int) -> Path:
    """Returns the path of a piece's chunk."""
    return folder / f"{number:07d}.arrow"


def write_chunk(
    path: Path,
    schema: pa.Schema,
    batches: Sequence[pa.RecordBatch],
    stats: dict[str, Any],
) -> None:
    """Writes `batches`, with `stats` as JSON in their schema, under another name until complete. If
    that fails, nothing is left.

    Raises:
        CorpusError: if it cannot be written.
    """
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}")  # pids are not unique across nodes
    schema = schema.with_metadata({"facts": json.dumps(stats)})
    with writing(partial):
        try:
            with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
                for batch in batches:
                    writer.write_batch(batch.replace_schema_metadata(schema.metadata))
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def open_chunk(path: Path) -> pa.RecordBatchFileReader:
    """Opens a chunk, mapped into memory. The memory is released with the last reference.

    Raises:
        CorpusError: if it cannot be read.
    """
    try:
        return pa.ipc.open_file(pa.memory_map(str(path)))
    except (OSError, pa.ArrowInvalid) as error:
        raise CorpusError(f"{path}: cannot be read ({error}). Prepare again.") from None


def read_stats(path: Path) -> dict[str, Any]:
    """Returns the `stats` that `write_chunk` stored."""
    return dict(json.loads(open_chunk(path).schema.metadata[b"facts"]))


def is_complete(path: Path) -> bool:
    """Tells whether there is a complete chunk; after a power failure it may be truncated."""
    try:
        open_chunk(path)
    except CorpusError:
        return False
    return True
