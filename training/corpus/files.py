"""Which files a path means, and their bytes and lines."""

from __future__ import annotations

import glob
import io
from collections.abc import Iterator
from pathlib import Path

from training.corpus.encodings import encoding_of_mark
from training.corpus.packed import is_file, open_unpacked
from training.errors import CorpusError

GLOB_CHARACTERS = frozenset("*?[")
#: What is read at once is no larger: no subtitle file is, but a packed one may claim to be.
LARGEST_BYTES = 256 * 2**20
#: No text has longer lines; a packed file of zeros may.
LONGEST_LINE = 2**24


def find_files(path: str, roots: list[Path]) -> tuple[Path, list[Path]]:
    """Files that `path` means, in sorted order: a file, a folder with all below it, a glob, or a
    file in an archive (`corpus.zip/train.en`).

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
    if len(roots) == 1:
        raise CorpusError(f"{path}: no such file. Correct the path.")
    places = " nor in ".join(str(root) for root in roots)
    raise CorpusError(
        f"{path}: no such file, neither in {places}. Set SEQ2SEQ_DATA to the folder of the data, "
        "or correct the path."
    )


def read_bytes(path: Path) -> bytes:
    """The contents of a file, unpacked.

    Raises:
        CorpusError: if it cannot be read, is not what it says or is larger than `LARGEST_BYTES`.
    """
    with open_unpacked(path) as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise CorpusError(f"{path}: has more than {LARGEST_BYTES // 2**20} MiB. Cut it in pieces.")
    return content


def read_text(path: Path) -> str:
    """A whole text file, as `read_lines` decodes it.

    Raises:
        CorpusError: as `read_bytes`.
    """
    content = read_bytes(path)
    mark, encoding = encoding_of_mark(content) or (b"", "utf-8")
    return content[len(mark) :].decode(encoding, errors="replace")


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """(line number from 1, line) of a text file, packed or not, as a stream. It is in UTF-8, or in
    what its byte-order mark tells.

    Bytes that are no text become U+FFFD, by which `read_source` knows a bad record.

    Raises:
        CorpusError: if it cannot be read, is not what it says or has a line of `LONGEST_LINE`.
    """
    with open_unpacked(path) as file:
        mark, encoding = encoding_of_mark(file.peek(4)) or (b"", "utf-8")
        file.read(len(mark))
        with io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="\n") as lines:
            number = 0
            while line := lines.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise CorpusError(f"{path}:{number}: a line of {LONGEST_LINE:,} characters.")
                yield number, line.rstrip("\r\n")


def _files_below(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in path.rglob("*") if file.is_file() and not _is_hidden(file, path)]
    return [path] if is_file(path) else []


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)
