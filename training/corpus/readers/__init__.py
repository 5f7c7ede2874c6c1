"""One file for each format: a path in, examples and faults out, as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from training.corpus.readers.conversations import (
    read_cornell,
    read_exchanges,
    read_jsonl,
    read_turn_lines,
    read_yaml,
)
from training.corpus.readers.pairs import read_bitext, read_pairs, read_scan
from training.corpus.readers.subtitles import read_subtitles
from training.corpus.records import Example, Fault
from training.recipe import SourceConfig

Records = Iterator[Example | Fault]

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
    "srt": (".srt", ".vtt", ".ass", ".ssa"),
    "pairs": (".tsv", ".txt"),
    "scan": (".txt",),
    "bitext": (),
}


def read_source(source: SourceConfig, files: list[Path], targets: list[Path]) -> Records:
    """Records of all files of a recipe's source; `targets` are the other sides of a bitext."""
    if source.format == "bitext":
        for source_file, target_file in zip(files, targets, strict=True):
            yield from read_bitext(source_file, target_file)
        return
    for file in files:
        yield from READERS[source.format](file)


__all__ = ["READERS", "SUFFIXES", "Records", "read_source"]
