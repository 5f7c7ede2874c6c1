"""Reader of the Cornell movie-dialogs corpus (Danescu-Niculescu-Mizil and Lee 2011)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from training.errors import CorpusError
from training.files.archives import is_file
from training.files.paths import read_bytes
from training.files.records import Fault, Records
from training.readers.dialogue import exchanges_of

_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
_SEPARATOR = " +++$+++"


def read_cornell(path: Path) -> Records:
    """Reads `movie_conversations.txt`, with `movie_lines.txt` beside it. A film is a group.

    Raises:
        CorpusError: if the file of lines is missing.
    """
    lines_file = lines_file_of(path)
    if lines_file is None:
        raise CorpusError(f"{path}: expected movie_conversations.txt beside movie_lines.txt")
    texts = {}
    for number, columns in _read_columns(lines_file):
        if len(columns) < 5:
            yield Fault(f"{lines_file}:{number}", "expected line, user, film, name and text")
        else:
            texts[columns[0]] = columns[4]
    for number, columns in _read_columns(path):
        names = [name.strip(" '\"") for name in columns[-1].strip("[] ").split(",")]
        if len(columns) < 4 or not all(name in texts for name in names):
            yield Fault(f"{path}:{number}", "expected two users, a film and names of known lines")
            continue
        turns = enumerate((texts[name] for name in names), start=1)
        yield from exchanges_of(turns, group=columns[2], origin=f"{path}:{number}")


def lines_file_of(path: Path) -> Path | None:
    """Returns the file of lines for the conversations in `path`, if it is beside it."""
    lines_file = path.with_name(path.name.replace("conversations", "lines"))
    return lines_file if lines_file != path and is_file(lines_file) else None


def _read_columns(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(_decode(read_bytes(path)).split("\n"), start=1):
        if line.strip():
            yield number, [column.strip() for column in line.split(_SEPARATOR)]


def _decode(content: bytes) -> str:
    """Decodes cp1252, in which the corpus was published, or UTF-8, in which there are copies, some
    of them with damaged bytes."""
    text = content.decode("utf-8-sig", errors="replace")
    damaged = text.count("\ufffd")
    is_utf8 = damaged * 2 <= len(_BEYOND_ASCII.findall(text))
    return text if is_utf8 else content.decode("cp1252", errors="replace")
