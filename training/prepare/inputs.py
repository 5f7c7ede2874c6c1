"""The files that a recipe means, and the pieces that they are worked on in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from training.errors import CorpusError
from training.files.archives import ARCHIVE, SINGLE, stat_of, wanted_files
from training.files.paths import find_files
from training.files.records import Example, Fault, Records
from training.prepare.sources import companions_of, read_source, suffixes_of
from training.recipe import Recipe, SourceConfig, folders_of

#: Records of a piece of a large file.
PIECE_RECORDS = 10_000
#: Files of together so many bytes are a piece: one process reads them.
PIECE_BYTES = 512 * 1024
#: What a packed file may unpack to, at a guess.
PACKED_TIMES = 4


@dataclass(frozen=True)
class Input:
    """A source of the recipe and the files that it means, below `root`.

    Attributes:
        files: what is read, in order.
        targets: the other side of each, where the recipe names both; else none.
        companions: what readers find beside `files` by themselves.
    """

    source: SourceConfig
    root: Path
    files: list[Path]
    targets: list[Path]
    companions: list[Path] = field(default_factory=list)

    def size_of(self, index: int) -> int:
        """Bytes of a file, about, unpacked."""
        file = self.files[index]
        size = stat_of(file).st_size
        return size * PACKED_TIMES if file.suffix.lower() in (*SINGLE, ARCHIVE) else size


@dataclass(frozen=True)
class Piece:
    """What one process works on at a time. Pieces depend on the files alone.

    Attributes:
        number: from 0, over all inputs.
        input: number of the input.
        files: numbers of the input's files that are to be read: from, to.
        records: what was read of a large file, which can be read from its beginning only; None if
            `files` are to be read.
    """

    number: int
    input: int
    files: tuple[int, int]
    records: list[Example | Fault] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Goes to another process as lists of texts: that takes a third of the time."""
        if self.records is None:
            return Piece, (self.number, self.input, self.files)
        packed = [
            [record.source, record.target, record.group, record.origin]
            if isinstance(record, Example)
            else [record.origin, record.reason]
            for record in self.records
        ]
        return _unpacked, (self.number, self.input, self.files, packed)

    def read(self, inputs: list[Input]) -> Records:
        """Its records."""
        if self.records is not None:
            return iter(self.records)
        return _read(inputs[self.input], self.files)


def _unpacked(number: int, index: int, files: tuple[int, int], packed: list[list[Any]]) -> Piece:
    records = [Example(*values) if len(values) == 4 else Fault(*values) for values in packed]
    return Piece(number, index, files, records)


def find_inputs(recipe: Recipe, recipe_path: Path) -> list[Input]:
    """The files of each source of `recipe`; paths are looked up in `folders_of` it.

    Raises:
        CorpusError: if a source means no file, the sides of a bitext differ in number, or no
            film has both sides.
    """
    roots = [folder.resolve() for folder in folders_of(recipe_path)]
    return [_find(source, roots) for source in recipe.corpus.sources]


def stamps_of(inputs: list[Input], others: list[Path]) -> list[Any]:
    """Place, size and time of each file that data depend on."""
    files = [file for each in inputs for file in (*each.files, *each.targets, *each.companions)]
    stats = ((file, stat_of(file)) for file in (*files, *others))
    return [[str(file), stat.st_size, stat.st_mtime_ns] for file, stat in stats]


def total_bytes(inputs: list[Input]) -> int:
    """Of all files, about, unpacked."""
    return sum(each.size_of(i) for each in inputs for i in range(len(each.files)))


def pieces_of(inputs: list[Input]) -> Iterator[Piece]:
    """All pieces, in order; large files are read as they are asked for."""
    number = 0
    for index, each in enumerate(inputs):
        for files in _groups(each):
            if each.size_of(files[0]) <= PIECE_BYTES:
                yield Piece(number, index, files)
                number += 1
                continue
            records = _read(each, files)
            while some := list(islice(records, PIECE_RECORDS)):
                yield Piece(number, index, files, some)
                number += 1


def _groups(each: Input) -> Iterator[tuple[int, int]]:
    """Neighbouring small files, together; each large file alone."""
    first, size = 0, 0
    for i in range(len(each.files)):
        if i > first and size + each.size_of(i) > PIECE_BYTES:
            yield first, i
            first, size = i, 0
        size += each.size_of(i)
    yield first, len(each.files)


def _read(each: Input, files: tuple[int, int]) -> Records:
    chosen = slice(*files)
    return read_source(each.source, each.root, each.files[chosen], each.targets[chosen])


def _find(source: SourceConfig, roots: list[Path]) -> Input:
    root, files = find_files(source.path, roots)
    documents = [_find_documents(path, roots) for path in source.documents]
    source = source.model_copy(update={"documents": tuple(map(str, documents))})
    wanted = suffixes_of(source)
    files = wanted_files(files, wanted)
    if not files:
        raise CorpusError(f"{root / source.path}: holds no file that ends in {' or '.join(wanted)}")
    if source.format == "subtitle-pairs":
        return _both_sides(source, roots, root, files)
    targets = find_files(source.target_path, roots)[1] if source.target_path else []
    if targets and len(targets) != len(files):
        raise CorpusError(
            f"{source.path} has {len(files)} files, but {source.target_path} {len(targets)}"
        )
    companions = [*companions_of(source, files), *documents]
    return Input(source, root, files, targets, companions)


def _find_documents(path: str, roots: list[Path]) -> Path:
    """A folder or an archive."""
    found = next((root / path for root in roots if (root / path).exists()), None)
    if found is None:
        raise CorpusError(f"{path}: no such folder or archive of documents. Correct the path.")
    return found


def _both_sides(source: SourceConfig, roots: list[Path], root: Path, files: list[Path]) -> Input:
    """The films that both sides have. If each side is one film, names do not matter."""
    target_root, targets = find_files(source.target_path, roots)
    targets = wanted_files(targets, suffixes_of(source))
    if len(files) == len(targets) == 1:
        return Input(source, root, files, targets)
    theirs = {_film_of(file, target_root, source.target_path): file for file in targets}
    ours = {_film_of(file, root, source.path): file for file in files}
    films = [film for film in ours if film in theirs]
    if not films:
        raise CorpusError(
            f"{source.path}, {source.target_path}: no film is in both. `*` must stand for the same "
            "in both, as in talks/*/english.srt and talks/*/german.srt."
        )
    return Input(source, root, [ours[film] for film in films], [theirs[film] for film in films])


def _film_of(file: Path, root: Path, path: str) -> str:
    """What the wildcards of `path` stand for in the name of `file`; in a folder, its name there."""
    before, *rest = re.split(r"[*?\[\]]+", path)
    after = rest[-1] if rest else file.suffix
    name = file.as_posix().removeprefix((root / before).as_posix())
    return name.removesuffix(after).strip("/")
