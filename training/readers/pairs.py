"""Readers of bilingual and other pairs: a source and its target."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from training.errors import CorpusError, MisalignedError
from training.files.line_ranges import WHOLE, LineRange
from training.files.paths import read_lines
from training.files.records import Example, Fault, Records
from training.readers.markup import without_html

#: https://docs.ankiweb.net/importing/text-files.html
ANKI_HEADER = re.compile(
    r"#(separator|html|tags|columns|notetype|deck|guid|(?:notetype|deck|tags|guid) column):(.*)"
)
#: Sounds, and what is hidden until a card is turned.
_ANKI_MARKS = re.compile(r"\s*\[sound:[^\]]*\]|\{\{c\d+::(.*?)(?:::.*?)?\}\}")
_ANKI_SEPARATORS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "space": " ",
    "pipe": "|",
    "colon": ":",
}


def read_bitext(
    source_path: Path,
    target_path: Path,
    source_lines: LineRange = WHOLE,
    target_lines: LineRange = WHOLE,
) -> Records:
    """Reads two line-aligned files. Extra empty lines at the end of one of them are faults.

    Raises:
        MisalignedError: if one has more lines than the other, or cannot be read to its end.
    """
    paths = source_path, target_path
    sides = _lines_of(source_path, source_lines), _lines_of(target_path, target_lines)
    pairs = zip_longest(*sides, fillvalue=None)
    last_text_lines = [0, 0]  # the last line of either side that is not empty
    for number, lines in enumerate(pairs, start=source_lines.first):
        for side, line in enumerate(lines):
            if line and line.strip():
                last_text_lines[side] = number
        source, target = lines
        if source is not None and target is not None:
            yield Example((source,), target, source, f"{source_path}:{number}")
        elif last_text_lines[0] != last_text_lines[1]:
            counts = [sum(1 for _ in read_lines(path)) for path in paths]
            raise MisalignedError(
                f"{source_path}: has {counts[0]} lines, but {target_path} has {counts[1]}. "
                "Both sides must be line-aligned."
            )
        else:
            longer, shorter = paths if target is None else reversed(paths)
            yield Fault(f"{longer}:{number}", f"an empty line that {shorter} does not have")


def read_pairs(path: Path, lines: LineRange = WHOLE) -> Records:
    """Reads `source TAB target`, one pair per line, and ignores further columns. Exports of Anki
    also have header lines with the separator, with the columns that hold no texts (a note's type,
    its deck), and whether fields hold HTML."""
    header = _read_anki_header(path)
    for number, line in read_lines(path, lines):
        if number <= header.lines:
            continue
        if header.no_texts:
            cells = enumerate(line.split(header.separator), start=1)
            texts = (cell for column, cell in cells if column not in header.no_texts)
            line = header.separator.join(texts)
        source, has_separator, rest = line.partition(header.separator)
        target = rest.partition(header.separator)[0]
        if header.lines:
            source, target = (_ANKI_MARKS.sub(r"\1", text) for text in (source, target))
        if header.has_html:
            source, target = without_html(source), without_html(target)
        if has_separator:
            yield Example((source,), target, source, f"{path}:{number}")
        elif line.strip():
            yield Fault(f"{path}:{number}", "expected source TAB target")


def read_scan(path: Path, lines: LineRange = WHOLE) -> Records:
    """Reads `IN: command OUT: actions` in each line (Lake and Baroni 2018, arXiv:1711.00350)."""
    for number, line in read_lines(path, lines):
        command, has_separator, actions = line.partition(" OUT: ")
        if has_separator and command.startswith("IN: "):
            source = command.removeprefix("IN: ")
            yield Example((source,), actions, source, f"{path}:{number}")
        elif line.strip():
            yield Fault(f"{path}:{number}", "expected `IN: ... OUT: ...`")


@dataclass(frozen=True)
class _AnkiHeader:
    """The settings in the header of an export of Anki, and its number of lines."""

    lines: int = 0
    separator: str = "\t"
    has_html: bool = False
    no_texts: frozenset[int] = frozenset()


def _read_anki_header(path: Path) -> _AnkiHeader:
    header = _AnkiHeader()
    for number, line in read_lines(path):
        setting = ANKI_HEADER.match(line)
        if not setting:
            break
        header = replace(header, lines=number)
        value = setting[2].strip()
        if setting[1] == "separator" and value:
            header = replace(header, separator=_ANKI_SEPARATORS.get(value.lower(), value))
        elif setting[1] == "html":
            header = replace(header, has_html=value.lower() == "true")
        elif setting[1].endswith(" column") and value.isdecimal():
            header = replace(header, no_texts=header.no_texts | {int(value)})
    return header


def _lines_of(path: Path, lines: LineRange) -> Iterator[str]:
    try:
        for _, line in read_lines(path, lines):
            yield line
    except CorpusError as error:
        raise MisalignedError(str(error)) from None
