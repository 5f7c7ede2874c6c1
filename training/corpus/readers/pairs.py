"""Bilingual and other pairs: a source and its target."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from training.corpus.files import read_lines
from training.corpus.records import Example, Fault, Records
from training.errors import CorpusError


def read_bitext(source_path: Path, target_path: Path) -> Records:
    """Two line-aligned files.

    Raises:
        CorpusError: if one has more lines than the other; no line can be trusted then.
    """
    pairs = zip_longest(read_lines(source_path), read_lines(target_path))
    for number, (source, target) in enumerate(pairs, start=1):
        if source is None or target is None:
            counts = (
                f"{path} has {_count_lines(path)} lines" for path in (source_path, target_path)
            )
            raise CorpusError(f"{', but '.join(counts)}. Both sides must be line-aligned.")
        yield Example((source[1],), target[1], source[1], f"{source_path}:{number}")


def read_pairs(path: Path) -> Records:
    """`source TAB target`, one pair a line; further columns are left alone."""
    for number, line in read_lines(path):
        source, tab, rest = line.partition("\t")
        if tab:
            yield Example((source,), rest.split("\t")[0], source, f"{path}:{number}")
        elif line.strip():
            yield Fault(f"{path}:{number}", "expected source TAB target")


def read_scan(path: Path) -> Records:
    """`IN: command OUT: actions`, one pair a line (Lake and Baroni 2018, arXiv:1711.00350)."""
    for number, line in read_lines(path):
        command, found, actions = line.partition(" OUT: ")
        if found and command.startswith("IN: "):
            source = command.removeprefix("IN: ")
            yield Example((source,), actions, source, f"{path}:{number}")
        elif line.strip():
            yield Fault(f"{path}:{number}", "expected `IN: ... OUT: ...`")


def _count_lines(path: Path) -> int:
    return sum(1 for _ in read_lines(path))
