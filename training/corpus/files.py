"""Which files a path means, and their bytes and lines."""

from __future__ import annotations

import glob
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from training.errors import CorpusError

GLOB_CHARACTERS = frozenset("*?[")


def find_files(path: str, roots: list[Path]) -> tuple[Path, list[Path]]:
    """Files that `path` (a file, a folder with all below it, or a glob) means, in sorted order.

    A relative path is looked up in each of `roots`; the first where it means anything counts.

    Returns:
        that root, and the files in it.

    Raises:
        CorpusError: if it means no file.
    """
    for root in roots:
        is_glob = bool(GLOB_CHARACTERS & set(path)) and not (root / path).exists()
        matches = glob.glob(path, root_dir=root, recursive=True) if is_glob else [path]
        files = {file for match in matches for file in _files_below(root / match)}
        if files:
            return root, sorted(files)
    places = " nor in ".join(str(root) for root in roots)
    raise CorpusError(
        f"{path}: no such file, neither in {places}. Set SEQ2SEQ_DATA to the folder of the data, "
        "or correct the path."
    )


def read_bytes(path: Path) -> bytes:
    """The contents of a file, unpacked if it ends in `.gz`.

    Raises:
        CorpusError: if it cannot be read or is not what it says.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"{path}: cannot be read ({error}).") from None


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line) of a text file in UTF-8, `.gz` or not, as a stream.

    Bytes that are no UTF-8 become U+FFFD, by which `read_source` knows a bad record.

    Raises:
        CorpusError: if it cannot be read or is not what it says.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                yield number, line.rstrip("\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"{path}: cannot be read ({error}).") from None


def _files_below(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path)]
    return [path] if path.is_file() else []


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)
