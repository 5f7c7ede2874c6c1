"""Input files of a recipe, and the pieces in which they are processed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any

from training.errors import CorpusError
from training.files.archives import ARCHIVE, SINGLE, size_of, stat_of, wanted_files
from training.files.line_ranges import line_ranges
from training.files.paths import find_files, split_glob
from training.files.records import Example, Fault, Records
from training.prepare.sources import (
    Lines,
    companions_of,
    line_files_of,
    read_source,
    suffixes_of,
)
from training.recipe import Recipe, SourceConfig
from training.recipe_file import folders_of

#: Records, or lines if each is a record, in a piece of a large file.
PIECE_RECORDS = 10_000
#: Lines in a piece of `jsonl`, whose lines may be whole conversations.
PIECE_JSON_LINES = 1_000
#: Small files are grouped into pieces of at most this many bytes; one process reads a piece.
PIECE_BYTES = 512 * 1024
#: Assumed ratio of the unpacked size of a file to its packed size.
COMPRESSION_RATIO = 4


@dataclass(frozen=True)
class Input:
    """A source of the recipe and its files, below `root`.

    Attributes:
        files: the files to read, in order.
        targets: the target side of each file, if the recipe names both sides; else empty.
        companions: additional files that the readers find by themselves.
    """

    source: SourceConfig
    root: Path
    files: list[Path]
    targets: list[Path]
    companions: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class Piece:
    """A unit of work for one process. Pieces depend only on the files.

    Attributes:
        number: from 0, over all inputs.
        input: number of the input.
        files: range of the input's files to read: start, end (exclusive).
        lines: lines of a large file, or of both sides, to read; empty: all.
        records: records already read from a large file that can only be read from the start; None
            if `files` have yet to be read.
    """

    number: int
    input: int
    files: tuple[int, int]
    lines: Lines = ()
    records: list[Example | Fault] | None = None

    def read(self, inputs: list[Input]) -> Records:
        """Returns its records."""
        if self.records is not None:
            return iter(self.records)
        return _read(inputs[self.input], self.files, self.lines)


def find_inputs(recipe: Recipe, recipe_path: Path) -> list[Input]:
    """Finds the files of each source of `recipe`; looks paths up in `folders_of` it.

    Raises:
        CorpusError: if a source has no file, the two sides of a bitext have different numbers of
            files, or no film has both sides.
    """
    folders = folders_of(recipe_path)
    return [find_input(source, folders) for source in recipe.corpus.sources]


def find_input(source: SourceConfig, folders: list[Path]) -> Input:
    """Finds the files of a source, whose paths are looked up in `folders`.

    Raises:
        CorpusError: as in `find_inputs`.
    """
    roots = [folder.resolve() for folder in folders]
    root, files = find_files(source.path, roots)
    documents = [_find_documents(path, roots) for path in source.documents]
    source = source.model_copy(update={"documents": tuple(map(str, documents))})
    wanted = suffixes_of(source)
    files = wanted_files(files, wanted)
    if not files:
        raise CorpusError(
            f"{root / source.path}: contains no file that ends in {' or '.join(wanted)}"
        )
    if source.format == "subtitle-pairs":
        return _pair_films(source, roots, root, files)
    targets = find_files(source.target_path, roots)[1] if source.target_path else []
    if targets and len(targets) != len(files):
        raise CorpusError(
            f"{source.path}: has {len(files)} files, but {source.target_path} has {len(targets)}. "
            "Each file of one side needs its other side, in the same order."
        )
    companions = [*companions_of(source, files), *documents]
    return Input(source, root, files, targets, companions)


def stamps_of(inputs: list[Input], others: list[Path]) -> list[Any]:
    """Returns path, size and modification time of each file that the data depends on."""
    files = [file for each in inputs for file in (*each.files, *each.targets, *each.companions)]
    stats = ((file, stat_of(file)) for file in (*files, *others))
    return [[str(file), stat.st_size, stat.st_mtime_ns] for file, stat in stats]


def total_bytes(inputs: list[Input]) -> int:
    """Returns the approximate size of all files in bytes, unpacked."""
    return sum(_unpacked_bytes(file) for each in inputs for file in (*each.files, *each.targets))


def _unpacked_bytes(file: Path) -> int:
    """Returns the approximate size of a file in bytes, unpacked."""
    size = size_of(file)
    return size * COMPRESSION_RATIO if file.suffix.lower() in (*SINGLE, ARCHIVE) else size


def pieces_of(inputs: list[Input]) -> Iterator[Piece]:
    """Yields all pieces, in order. Large line-based files are only divided, not read; other large
    files are read here, lazily."""
    numbers = count()
    for index, each in enumerate(inputs):
        for files in _groups(each):
            if _unpacked_bytes(each.files[files[0]]) <= PIECE_BYTES:
                yield Piece(next(numbers), index, files)
            elif paths := line_files_of(each.source, *_chosen(each, files)):
                is_json = each.source.format == "jsonl"
                for lines in line_ranges(paths, PIECE_JSON_LINES if is_json else PIECE_RECORDS):
                    yield Piece(next(numbers), index, files, lines)
            else:
                records = _read(each, files)
                while some := list(islice(records, PIECE_RECORDS)):
                    yield Piece(next(numbers), index, files, records=some)


def _groups(each: Input) -> Iterator[tuple[int, int]]:
    """Yields ranges of files: neighbouring small files together, each large file on its own."""
    first, size = 0, 0
    for i, own in enumerate(map(_unpacked_bytes, each.files)):
        if i > first and size + own > PIECE_BYTES:
            yield first, i
            first, size = i, 0
        size += own
    yield first, len(each.files)


def _read(each: Input, files: tuple[int, int], lines: Lines = ()) -> Records:
    return read_source(each.source, each.root, *_chosen(each, files), lines)


def _chosen(each: Input, files: tuple[int, int]) -> tuple[list[Path], list[Path]]:
    """Returns a range of an input's files, and of their other sides."""
    return each.files[slice(*files)], each.targets[slice(*files)]


def _find_documents(path: str, roots: list[Path]) -> Path:
    """Finds a folder or an archive."""
    found = next((root / path for root in roots if (root / path).exists()), None)
    if found is None:
        raise CorpusError(f"{path}: no such folder or archive of documents. Correct the path.")
    return found


def _pair_films(source: SourceConfig, roots: list[Path], root: Path, files: list[Path]) -> Input:
    """Pairs the films that both sides have. If each side is a single file, names do not matter."""
    target_root, targets = find_files(source.target_path, roots)
    targets = wanted_files(targets, suffixes_of(source))
    if len(files) == len(targets) == 1:
        return Input(source, root, files, targets)
    target_films = {_film_of(file, target_root, source.target_path): file for file in targets}
    source_films = {_film_of(file, root, source.path): file for file in files}
    films = [film for film in source_films if film in target_films]
    if not films:
        raise CorpusError(
            f"{source.path}, {source.target_path}: no film is in both. `*` must match the same "
            "text in both, as in talks/*/english.srt and talks/*/german.srt."
        )
    sides = ([side[film] for film in films] for side in (source_films, target_films))
    return Input(source, root, *sides)


def _film_of(file: Path, root: Path, path: str) -> str:
    """Returns the part of a file's name that the wildcards of `path` match; in a folder, the name
    of the file in it."""
    folder, pattern = split_glob(path, root)
    before, *rest = re.split(r"[*?\[\]]+", pattern)
    after = rest[-1] if rest else file.suffix
    name = file.as_posix().removeprefix((root / folder / before).as_posix())
    return name.removesuffix(after).strip("/")
