"""Files of a path, and their bytes and lines."""

from __future__ import annotations

import glob
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import explain
from model.folder import SOURCE_TOKENIZER_FILE, WEIGHTS_FILE
from model.text.encodings import encoding_of_mark
from training.errors import CorpusError
from training.files.archives import archive_of, is_file, names_in, open_unpacked
from training.files.line_ranges import WHOLE, LineRange

_ERROR_OF_ARROW = re.compile(r"\[errno (\d+)\]")
GLOB_CHARACTERS = frozenset("*?[")
#: What a model folder, or the output of a recipe, has in it.
_MADE = (WEIGHTS_FILE, f"data/{SOURCE_TOKENIZER_FILE}", "data.partial/work")
#: Limit of what is read at once: no subtitle file is larger, but a packed one may be made so.
LARGEST_BYTES = 256 * 2**20
#: No text has longer lines; a packed file of zeros may.
LONGEST_LINE = 2**24
#: Replacement of a longer line: no text, so that its record is left out.
TOO_LONG = "\ufffd\ufffd a line that is too long"


def find_files(path: str, roots: list[Path]) -> tuple[Path, list[Path]]:
    """Finds the files of `path`, sorted: a file, a folder with all below it, a glob, or a file or
    folder in an archive (`corpus.zip/train.en`, `corpus.zip/train`). Linked folders are read too,
    but no folder twice. Models, and outputs of recipes, are left out of a folder and of what a glob
    matches: a run in the folder of its sources would read its own answers.

    A relative path is looked up in each of `roots`; the first with any match counts.

    Returns:
        the root and the files in it.

    Raises:
        CorpusError: if there is no such file.
    """
    for root in roots:
        files = {*_files_below(root / path)}
        if not files and GLOB_CHARACTERS & set(path):
            files = {file for match in _matches(path, root) for file in _files_below(root / match)}
        if files:
            return root, _each_once(files)
    if any((root / path).is_dir() for root in roots):
        raise CorpusError(
            f"{path}: a folder without files; hidden ones, models and outputs of recipes do not "
            "count. Correct the path."
        )
    if len(roots) == 1 or Path(path).is_absolute():
        raise CorpusError(f"{path}: no such file. Correct the path.")
    places = " nor in ".join(dict.fromkeys(str(root.resolve()) for root in roots))
    raise CorpusError(
        f"{path}: no such file, neither in {places}. Set SEQ2SEQ_DATA to the folder of the data, "
        "or correct the path."
    )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError of this context into a CorpusError that names the file.

    Args:
        path: a file or folder, for errors that name none (Arrow's).

    Raises:
        CorpusError: in place of an OSError, such as a full disk, a limit or a wrong folder.
    """
    try:
        yield
    except BrokenPipeError:  # the reader has enough
        raise
    except OSError as error:
        number = _ERROR_OF_ARROW.search(str(error))
        cause = OSError(int(number[1]), "") if number else error
        place = error.filename or path
        raise CorpusError(f"{place}: cannot be written: {explain(cause)}") from None


def check_not_read(output: Path, read: Iterable[Path]) -> None:
    """Raises a CorpusError if an output is one of the files that are read."""
    if output.exists() and any(file.exists() and output.samefile(file) for file in read):
        raise CorpusError(f"{output}: is also an input. Choose another output.")


def read_bytes(path: Path) -> bytes:
    """Reads the contents of a file, unpacked.

    Raises:
        CorpusError: if it cannot be read, is broken or larger than `LARGEST_BYTES`.
    """
    with open_unpacked(path) as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise CorpusError(
            f"{path}: has more than {LARGEST_BYTES // 2**20} MiB. Split it into smaller files."
        )
    return content


def read_text(path: Path) -> str:
    """Reads a whole text file, decoded as by `read_lines`.

    Raises:
        CorpusError: as in `read_bytes`.
    """
    content = read_bytes(path)
    mark, encoding = encoding_of_mark(content) or (b"", "utf-8")
    return content[len(mark) :].decode(encoding, errors="replace")


def read_lines(path: Path, lines: LineRange = WHOLE) -> Iterator[tuple[int, str]]:
    """Yields (line number from 1, line) of a text file, packed or not, or of a range of its lines.
    It is read as UTF-8, or in the encoding of its byte-order mark.

    Bytes that are no text become U+FFFD, by which `read_source` knows a bad record, and a line
    longer than `LONGEST_LINE` becomes `TOO_LONG`.

    Raises:
        CorpusError: if it cannot be read or is broken; the message gives the last line that was
            read.
    """
    number = lines.first - 1
    try:
        with open_unpacked(path) as file:
            mark, encoding = b"", "utf-8"
            if lines.offset:
                file.seek(lines.offset)
            else:
                head = file.peek(4)
                mark, encoding = encoding_of_mark(head) or (mark, encoding)
                if head.count(b"\r") > 1 and b"\n" not in head:
                    raise CorpusError(
                        f"{path}: its lines end in CR alone. Save it with LF or CRLF."
                    )
            file.read(len(mark))
            with io.TextIOWrapper(file, encoding, errors="replace", newline="\n") as text:
                while number + 1 != lines.end and (line := text.readline(LONGEST_LINE)):
                    number += 1
                    if len(line) == LONGEST_LINE and not line.endswith("\n"):
                        line = TOO_LONG
                        while (rest := text.readline(LONGEST_LINE)) and not rest.endswith("\n"):
                            pass
                    yield number, line.rstrip("\r\n")
    except CorpusError as error:
        if number < lines.first:
            raise
        raise CorpusError(f"{error} Everything after line {number:,} was not read.") from None


def split_glob(path: str, root: Path) -> tuple[Path, str]:
    """Splits a glob into the folder at its beginning, whose name may have brackets, and the rest. A
    path that is no glob has no rest."""
    parts = Path(path).parts
    for i, part in enumerate(parts):
        if GLOB_CHARACTERS & set(part) and not root.joinpath(*parts[: i + 1]).exists():
            return Path(*parts[:i]), str(Path(*parts[i:]))
    return Path(path), ""


def _matches(path: str, root: Path) -> Iterator[str]:
    """Yields what a glob matches, outside of what was made of it."""
    folder, rest = split_glob(path, root)
    pattern = os.path.join(glob.escape(str(folder)), rest)
    for match in glob.glob(pattern, root_dir=root, recursive=True):
        parts = Path(match).parts
        ends = range(len(folder.parts) + 1, len(parts) + 1)
        if not any(_is_made(root.joinpath(*parts[:end])) for end in ends):
            yield match


def _files_below(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path] if is_file(path) else _members_below(path)
    found, seen = list[Path](), {os.path.realpath(path)}
    for folder, folders, names in os.walk(path, followlinks=True):
        place = Path(folder)
        wanted = [name for name in sorted(folders) if name[0] != "." and not _is_made(place / name)]
        folders.clear()
        for name in wanted:
            if (real := os.path.realpath(place / name)) not in seen:
                seen.add(real)
                folders.append(name)
        found += [place / name for name in names if name[0] != "." and os.path.isfile(place / name)]
    return found


def _members_below(path: Path) -> list[Path]:
    """Returns the files of a folder in an archive; nothing if there is none."""
    archive = archive_of(path)
    if archive is None:
        return []
    start = f"{path.relative_to(archive).as_posix()}/"
    return [archive / name for name in names_in(archive) if name.startswith(start)]


def _each_once(files: set[Path]) -> list[Path]:
    """Returns files, sorted, without those that a link to their folder leads to again."""
    folders = {folder: os.path.realpath(folder) for folder in {file.parent for file in files}}
    once = {(folders[file.parent], file.name): file for file in sorted(files, reverse=True)}
    return sorted(once.values())


def _is_made(folder: Path) -> bool:
    return any(os.path.exists(folder / mark) for mark in _MADE)
