"""Reader of Moses pairs as OPUS ships them: `A.de-en.de` beside `A.de-en.en`, mostly zipped."""

from __future__ import annotations

from pathlib import Path

from training.errors import CorpusError
from training.files.archives import SINGLE, is_file, plain_name
from training.files.line_ranges import LineRange
from training.files.records import Records
from training.readers.pairs import read_bitext


def read_moses(path: Path, languages: tuple[str, str], *lines: LineRange) -> Records:
    """Reads a file that ends in the source's language code, with the target's file beside it.
    Other files yield nothing (OPUS adds a licence, scores and the like). `lines` are those of both
    sides; by default, all.

    Raises:
        CorpusError: if the other side is missing.
        MisalignedError: if the other side has more or fewer lines.
    """
    source, target = languages
    if not plain_name(path).endswith(f".{source}".lower()):
        return
    other = other_side_of(path, languages)
    if other is None:
        stem = path.name.rpartition(f".{source}")[0]
        raise CorpusError(f"{path}: no {stem}.{target} beside it")
    yield from read_bitext(path, other, *lines)


def other_side_of(path: Path, languages: tuple[str, str]) -> Path | None:
    """Returns the target's file beside the source's, packed or not, if there is one."""
    stem, _, packing = path.name.rpartition(f".{languages[0]}")
    others = (
        path.with_name(f"{stem}.{languages[1]}{suffix}")
        for suffix in dict.fromkeys((packing, "", *SINGLE))
    )
    return next(filter(is_file, others), None)
