"""The commands `mine` and `align`, which print JSON lines for other programs."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, TextIO

from training.alignment.align import film_pairs
from training.errors import CorpusError
from training.files.paths import check_not_read, writing
from training.files.records import Fault
from training.subtitles.mine import SUFFIXES, Exchange, MiningOptions, files_of, mine

_FAULTS_SAY_WHY = "The lines above say why"


def run_mine(chosen: argparse.Namespace) -> str:
    """Runs `mine`. Returns a summary.

    Raises:
        CorpusError: if there is no exchange.
    """
    names = (field.name for field in fields(MiningOptions))
    given = {name: value for name in names if (value := getattr(chosen, name)) is not None}
    files: set[str] = set()
    paths: Iterable[str] = _listed(chosen.paths)
    if chosen.output and chosen.output.is_file():
        paths = list(paths)
        check_not_read(chosen.output, files_of(paths))
    found = mine(paths, MiningOptions(**given), on_read=files.add)
    exchanges, faults = _print(found, chosen)
    summary = f"{exchanges:,} exchanges of {len(files):,} files; {faults:,} could not be read"
    if exchanges:
        return summary
    if files:
        advice = "An exchange is two turns, with at most --scene-pause seconds between them"
    else:
        advice = _FAULTS_SAY_WHY if faults else f"Name files that end in {', '.join(SUFFIXES)}"
    raise CorpusError(f"{summary}. {advice}.")


def run_align(chosen: argparse.Namespace) -> str:
    """Runs `align`. Returns a summary.

    Raises:
        CorpusError: if there is no pair.
    """
    if (chosen.source == "-") == bool(chosen.target):
        raise CorpusError("align needs two files, or - alone to read a list from standard input.")
    films: set[tuple[str, str]] = set()
    listed: Iterable[tuple[str, str]] = _films(chosen.source, chosen.target)
    if chosen.output and chosen.output.is_file():
        listed = list(listed)
        check_not_read(chosen.output, (Path(file) for film in listed for file in film))
    found = film_pairs(listed, chosen.min_score, on_read=films.add)
    pairs, faults = _print(found, chosen)
    summary = f"{pairs:,} pairs of {len(films):,} films; {faults:,} could not be read"
    if pairs:
        return summary
    advice = _FAULTS_SAY_WHY if faults else "List SOURCE, a tab, TARGET on standard input"
    raise CorpusError(f"{summary}. {advice}.")


def _listed(paths: Iterable[str]) -> Iterator[str]:
    """Yields paths; `-` is replaced by the list on standard input."""
    for path in paths:
        yield from filter(None, map(str.strip, _input())) if path == "-" else [path]


def _input() -> TextIO:
    """Returns standard input, as a list of files: names need not be UTF-8."""
    if sys.stdin is None:
        raise CorpusError("standard input is closed, but - reads from it.")
    if isinstance(sys.stdin, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):  # it has been read before
            sys.stdin.reconfigure(encoding="utf-8-sig", errors="surrogateescape")
    return sys.stdin


@contextmanager
def _open_output(path: Path | None) -> Iterator[TextIO]:
    """Opens a file, or standard output, in UTF-8. Creates the folder of the file.

    Raises:
        CorpusError: if it cannot be opened, or written while this context is open.
    """
    if path:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8", errors="replace") as file:
                yield file
        return
    if sys.stdout is None:
        raise CorpusError("standard output is closed. Open it, or set an output file with -o.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    with writing(Path("standard output")):
        try:
            yield sys.stdout
            sys.stdout.flush()
        except OSError:
            discard_output()
            raise


def _films(source: str, target: str | None) -> Iterator[tuple[str, str]]:
    """Yields the two files of a film, or of all films listed on standard input."""
    if target:
        yield source, target
        return
    for number, line in enumerate(_input(), start=1):
        first, tab, second = line.rstrip("\r\n").partition("\t")
        if tab:
            yield first, second
        elif line.strip():
            raise CorpusError(f"standard input:{number}: expected SOURCE, a tab, TARGET.")


def _print(
    records: Iterator[Exchange | Fault] | Iterator[dict[str, Any] | Fault],
    chosen: argparse.Namespace,
) -> tuple[int, int]:
    """Prints records as JSON lines and faults on standard error; returns the number of each.

    An existing file is not changed until there is something to write.
    """
    count, faults = 0, 0
    output: TextIO | None = None
    with ExitStack() as opened:
        for record in records:
            if isinstance(record, Fault):
                if chosen.strict:
                    raise CorpusError(f"{record.origin}: {record.reason}")
                faults += 1
                print(f"left out: {record.origin}: {record.reason}", file=sys.stderr)
            else:
                output = output or opened.enter_context(_open_output(chosen.output))
                count += 1
                values = record.to_json() if isinstance(record, Exchange) else record
                print(json.dumps(values, ensure_ascii=False), file=output)
    return count, faults


def discard_output() -> None:
    """Discards what standard output still buffers: Python would try to write it at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
