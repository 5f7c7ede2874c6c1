"""Packed files: `.gz`, `.xz`, `.bz2`, `.zst` contain one file, `.zip` any number.

A file in an archive has a path too, `corpus.zip/train.en`, so that readers need not know archives.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar, cast

from training.errors import CorpusError

F = TypeVar("F", str, Path)

ARCHIVE = ".zip"
SINGLE = (".gz", ".xz", ".bz2", ".zst")
#: Archives that are not read: for a file in a tape, all before it must be unpacked.
_OTHERS = re.compile(r"\.(?:(tgz|txz|tbz2?|7z|rar)|(tar)(?:\.\w+)?)$", re.IGNORECASE)

#: Files that come with a corpus and are none of it, such as the numbers of the sentences in OPUS,
#: and what Kaggle shows of the form of an answer.
_NOTES = re.compile(
    r"(.*/)?(licen[cs]e|copying|readme|notice|authors|changelog|citation)(\.(txt|md|rst|html?))?"
    r"|(.*/)?sample_?submission\.csv|.*\.ids",
    re.IGNORECASE,
)

#: Errors of reading a broken file; NotImplementedError: an unknown method of compression;
#: RuntimeError: a password is needed.
_BROKEN = (
    OSError,
    EOFError,
    ValueError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
)

#: What Arrow says of a `.zst` that was packed with `--long=31`, as dumps of Reddit are.
_LARGE_WINDOW = "requires too much memory"


@contextmanager
def open_unpacked(path: Path) -> Iterator[io.BufferedReader]:
    """Opens a file, or one in an archive, as a stream of unpacked bytes.

    Raises:
        CorpusError: if it cannot be read or is broken, now or while it is read.
    """
    try:
        with ExitStack() as stack:
            yield _open(path, stack)
    except CorpusError:
        raise
    except _BROKEN as error:
        reason = getattr(error, "strerror", None) or error
        advice = " Unpack it: zstd -d --long=31." if _LARGE_WINDOW in str(error) else ""
        raise CorpusError(f"{path}: cannot be read ({reason}).{advice}") from None


def names_in(archive: Path) -> Collection[str]:
    """Returns the names of the files in an archive.

    Raises:
        CorpusError: if it is no archive in spite of its name.
    """
    try:
        return _opened(archive)[1].keys()
    except _BROKEN as error:
        raise CorpusError(f"{archive}: cannot be read ({error}).") from None


def is_file(path: Path) -> bool:
    """Tells whether the file exists, on disk or in an archive."""
    archive = archive_of(path)
    if archive is None:
        return path.is_file()
    return path.relative_to(archive).as_posix() in names_in(archive)


def stat_of(path: Path) -> os.stat_result:
    """Returns size and times of a file, or of the archive that it is in."""
    return (archive_of(path) or path).stat()


def size_of(path: Path) -> int:
    """Returns the size in bytes of a file, or of one in an archive when it is unpacked from it."""
    archive = archive_of(path)
    if archive is None:
        return path.stat().st_size
    return _opened(archive)[1][path.relative_to(archive).as_posix()].file_size


def is_archive(path: Path) -> bool:
    """Tells whether a file is an archive, by its name."""
    return path.suffix.lower() == ARCHIVE and path.is_file()


def is_packed(path: Path) -> bool:
    """Tells whether a file is packed, by its name, or in an archive."""
    is_single = path.suffix.lower() in SINGLE or bool(_OTHERS.search(path.name))
    return is_single or is_archive(path) or archive_of(path) is not None


def archive_of(path: Path) -> Path | None:
    """Returns the archive that a file is in, if any."""
    return next((each for each in path.parents if is_archive(each)), None)


def plain_name(path: Path) -> str:
    """Returns a file's name in lower case, without the suffix of its packing."""
    name = path.name.lower()
    suffix = next((each for each in (*SINGLE, ARCHIVE) if name.endswith(each)), "")
    return name.removesuffix(suffix)


def wanted_files(files: list[Path], suffixes: tuple[str, ...]) -> list[Path]:
    """Returns the files with one of the suffixes, and archives, but no licence or notes on them. A
    single file is always wanted."""
    if len(files) == 1 or not suffixes:
        return files
    files = [file for file in files if plain_name(file).endswith(suffixes) or is_archive(file)]
    return without_notes(files)


def without_notes(files: list[F]) -> list[F]:
    """Returns the paths without `README`, `LICENSE` and such, unless there are no others."""
    return [file for file in files if not _NOTES.fullmatch(str(file))] or files


def wanted_members(file: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yields a file; of an archive, its files with one of the suffixes, or its only one, sorted.

    Raises:
        CorpusError: if the archive cannot be read or contains none.
    """
    if not is_archive(file):
        yield file
        return
    names = sorted(names_in(file))
    wanted = [name for name in names if plain_name(Path(name)).endswith(suffixes)]
    if not wanted and (inner := [name for name in names if name.lower().endswith(ARCHIVE)]):
        raise CorpusError(f"{file}: contains archives ({inner[0]}). Unpack it.")
    if not wanted and len(names) != 1:
        raise CorpusError(f"{file}: contains no file that ends in {' or '.join(sorted(suffixes))}.")
    for name in without_notes(wanted or names):  # an archive of OPUS holds hundreds of thousands
        yield file / name


def _opened(path: Path) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """Opens an archive; returns it and its entries. It stays open, as its list may be long."""
    stat = path.stat()
    return _opened_once(path, stat.st_size, stat.st_mtime_ns, os.getpid())


@lru_cache(maxsize=4)
def _opened_once(path: Path, *version: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """Opens one version of an archive, once in each process: an open file has one position."""
    archive = zipfile.ZipFile(path)
    return archive, _entries(archive)


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Returns the files by name, without hidden ones and those that would be unpacked elsewhere."""
    entries = {}
    for entry in archive.infolist():
        name = PurePosixPath(entry.filename)
        is_ours = not name.is_absolute() and not any(part.startswith(".") for part in name.parts)
        if is_ours and not entry.is_dir() and name.parts[:1] != ("__MACOSX",):
            entries[name.as_posix()] = entry
    return entries


def _open(path: Path, stack: ExitStack) -> io.BufferedReader:
    if other := _OTHERS.search(path.name):
        kind = (other[1] or other[2]).lower()
        raise CorpusError(f"{path}: is a {kind} archive. Unpack it, and name its files or folder.")
    archive = archive_of(path)
    if archive and path.suffix.lower() == ARCHIVE:
        raise CorpusError(f"{path}: is an archive in an archive. Unpack the outer one.")
    if archive:
        stream = _open_member(archive, path.relative_to(archive).as_posix(), stack)
    elif is_archive(path):
        stream = _open_member(path, "", stack)
    else:
        stream = stack.enter_context(path.open("rb"))
    suffix = path.suffix.lower()
    if suffix == ".gz":
        stream = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=stream)))
    elif suffix == ".bz2":
        stream = cast(BinaryIO, stack.enter_context(bz2.BZ2File(stream)))
    elif suffix == ".xz":
        stream = cast(BinaryIO, stack.enter_context(lzma.LZMAFile(stream)))
    elif suffix == ".zst":
        from pyarrow import input_stream  # takes a while, and is rarely needed

        stream = stack.enter_context(input_stream(stream, compression="zstd"))
    if isinstance(stream, io.BufferedReader):
        return stream
    return io.BufferedReader(cast(io.RawIOBase, stream))


def _open_member(archive: Path, name: str, stack: ExitStack) -> BinaryIO:
    """Opens the file `name`, or the only one, of an archive."""
    opened, entries = _opened(archive)
    if not name and len(entries) == 1:
        (name,) = entries
    if name not in entries:
        wanted = f"no file {name}" if name else f"{len(entries)} files, not one"
        raise CorpusError(f"{archive}: holds {wanted}. Name one of it: {archive.name}/FILE.")
    return cast(BinaryIO, stack.enter_context(opened.open(entries[name])))
