"""The command `align`: pairs from two subtitle files of one film, for other programs to use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from training.alignment.films import Pair
from training.alignment.reader import align_films
from training.errors import CorpusError, MismatchError
from training.files.records import Fault, fault_of


def film_pairs(
    films: Iterable[tuple[str, str]],
    min_score: float,
    *,
    on_read: Callable[[tuple[str, str]], object],
) -> Iterator[dict[str, Any] | Fault]:
    """Yields the pairs of each film, as a stream of JSON objects; a film that cannot be read
    becomes a fault.

    Args:
        films: the source file and the target file of each film.
        min_score: pairs with a lower score are left out.
        on_read: called with each film whose files could be read.
    """
    for source, target in films:
        try:
            pairs, faults = align_films(Path(source), Path(target), min_score)
        except CorpusError as error:
            if isinstance(error, MismatchError):
                on_read((source, target))
            yield fault_of(error, source, target)
            continue
        on_read((source, target))
        yield from faults
        for pair in pairs:
            yield _describe(pair, source, target)


def _describe(pair: Pair, source: str, target: str) -> dict[str, Any]:
    """Describes a pair: its texts, its times in seconds on each file's own clock, and the lines
    with the times of its cues."""
    return {
        "source": pair.source_text,
        "target": pair.target_text,
        "score": round(pair.score, 3),
        "source_start": round(pair.source[0].start, 3),
        "source_end": round(pair.source[-1].end, 3),
        "target_start": round(pair.target[0].start, 3),
        "target_end": round(pair.target[-1].end, 3),
        "source_file": source,
        "target_file": target,
        "source_lines": list(dict.fromkeys(each.line for each in pair.source)),
        "target_lines": list(dict.fromkeys(each.line for each in pair.target)),
    }
