"""Ranges of lines, by which several processes read one large file, each its share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import numpy as np

from model.text.encodings import encoding_of_mark
from training.files.archives import is_packed

BLOCK_BYTES = 2**22


@dataclass(frozen=True)
class LineRange:
    """Neighbouring lines of a file.

    Attributes:
        offset: number of bytes before them.
        first: number of the first line, from 1.
        end: number of the line after the last; None: all up to the end of the file.
    """

    offset: int = 0
    first: int = 1
    end: int | None = None


WHOLE = LineRange()


def has_line_ranges(path: Path) -> bool:
    """Tells whether a file can be read from any of its lines: it is not packed, and in an encoding
    in which the byte of a line break is nothing else."""
    if is_packed(path):
        return False
    try:
        with path.open("rb") as file:
            marked = encoding_of_mark(file.read(4))
    except OSError:
        return False
    return marked is None or marked[1] == "utf-8"


def line_ranges(paths: Sequence[Path], lines: int) -> Iterator[tuple[LineRange, ...]]:
    """Yields the ranges of `lines` lines in each of some line-aligned files. The last ones end with
    their files, so that its reader finds what one file has too much.

    This only counts line breaks, a gigabyte or so a second.
    """
    starts = zip(*(_starts(path, lines) for path in paths), strict=False)
    offsets = next(starts)
    for first, following in zip(count(1, lines), chain(starts, [None])):
        end = first + lines if following else None
        yield tuple(LineRange(offset, first, end) for offset in offsets)
        offsets = following or ()


def _starts(path: Path, lines: int) -> Iterator[int]:
    """Yields the offset of each `lines`-th line, and 0 first. They end where the file cannot be
    read: the error is for the reader of the last range."""
    yield 0
    seen, offset = 0, 0
    with suppress(OSError), path.open("rb") as file:
        size = path.stat().st_size
        while block := file.read(BLOCK_BYTES):
            breaks = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            for place in breaks[lines - 1 - seen % lines :: lines].tolist():
                if offset + place + 1 < size:
                    yield offset + place + 1
            seen += len(breaks)
            offset += len(block)
