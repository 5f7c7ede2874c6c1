"""One file for each format: a path in, examples and faults out, as a stream."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from training.corpus.readers.cornell import read_cornell
from training.corpus.readers.dialogue import read_exchanges, read_turn_lines
from training.corpus.readers.jsonl import read_jsonl
from training.corpus.readers.pairs import read_bitext, read_pairs, read_scan
from training.corpus.readers.subtitles import read_subtitles
from training.corpus.readers.yaml import read_yaml
from training.corpus.records import Example, Fault, Records
from training.recipe import SourceConfig

READERS: dict[str, Callable[[Path], Records]] = {
    "cornell": read_cornell,
    "exchanges": read_exchanges,
    "jsonl": read_jsonl,
    "lines": read_turn_lines,
    "yaml": read_yaml,
    "srt": read_subtitles,
    "pairs": read_pairs,
    "scan": read_scan,
}

#: Files that a reader takes out of a folder; others in it are somebody else's.
SUFFIXES: dict[str, tuple[str, ...]] = {
    "cornell": ("movie_conversations.txt",),
    "exchanges": (".tsv", ".txt"),
    "jsonl": (".jsonl", ".json"),
    "lines": (".txt",),
    "yaml": (".yml", ".yaml"),
    "srt": (".srt", ".vtt", ".ass", ".ssa", ".sub"),
    "pairs": (".tsv", ".txt"),
    "scan": (".txt",),
    "bitext": (),
}

_NO_TEXT = re.compile("[\ufffd\ud800-\udfff]")


def read_source(
    source: SourceConfig, root: Path, files: list[Path], targets: list[Path]
) -> Records:
    """Records of all files of a recipe's source; `targets` are the other sides of a bitext.

    Files are named relative to `root`, so that the same corpus is split in the same way wherever
    it lies. A record with bytes that are no text becomes a fault.
    """
    for record in _read_files(source, files, targets):
        origin = _name(record.origin, root)
        if isinstance(record, Fault):
            yield Fault(origin, record.reason)
        elif any(_NO_TEXT.search(text) for text in (*record.source, record.target)):
            yield Fault(origin, "holds bytes that are no UTF-8 text")
        else:
            yield Example(record.source, record.target, _name(record.group, root), origin)


def _read_files(source: SourceConfig, files: list[Path], targets: list[Path]) -> Records:
    if source.format == "bitext":
        for source_file, target_file in zip(files, targets, strict=True):
            yield from read_bitext(source_file, target_file)
        return
    for file in files:
        yield from READERS[source.format](file)


def _name(place: str, root: Path) -> str:
    """`place`, a file's path with what follows it, as seen from `root`; always valid Unicode."""
    name = place.removeprefix(f"{root}{os.sep}")
    return name if name.isascii() else name.encode("utf-8", "replace").decode()


__all__ = ["READERS", "SUFFIXES", "read_source"]
