"""Bitext from two subtitle files of one film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.corpus.alignment import Pair, align, clock_between
from training.corpus.readers.cues import read_cues
from training.corpus.records import Cue, Example, Fault, Records, fault_of
from training.corpus.timing import LEAST_EVIDENCE
from training.errors import CorpusError

#: Files with fewer cues are too short to tell whether they are of one film.
FEW_CUES = 50


@dataclass(frozen=True)
class FilmPairs:
    """What two files yield.

    Attributes:
        pairs: in order.
        faults: cues that could not be read.
    """

    pairs: list[Pair]
    faults: list[Fault]


def align_films(source: Path, target: Path, min_score: float) -> FilmPairs:
    """The pairs of two subtitle files whose score is `min_score` or more.

    Raises:
        CorpusError: if a file cannot be read or has no cue, or they hardly agree in time.
    """
    faults: list[Fault] = []
    ours, theirs = (list(_cues(path, faults)) for path in (source, target))
    timing = clock_between(ours, theirs)
    pairs = [pair for pair in align(ours, theirs, timing) if pair.score >= min_score]
    is_chance = timing.evidence < LEAST_EVIDENCE and min(len(ours), len(theirs)) >= FEW_CUES
    if not pairs or is_chance:
        raise CorpusError(
            f"{source}: does not fit {target} in time, with any shift or frame rate. Are both of "
            "one film, and of the same cut of it?"
        )
    return FilmPairs(pairs, faults)


def read_film_pairs(source: Path, target: Path, min_score: float) -> Records:
    """One example a pair. The source's file is the group: a film is not torn apart."""
    try:
        found = align_films(source, target, min_score)
    except CorpusError as error:
        yield fault_of(error, source, target)
        return
    yield from found.faults
    for pair in found.pairs:
        origin = f"{source}:{pair.source[0].line}"
        yield Example((pair.source_text,), pair.target_text, str(source), origin)


def _cues(path: Path, faults: list[Fault]) -> Iterator[Cue]:
    count = 0
    for found in read_cues(path):
        if isinstance(found, Fault):
            faults.append(found)
        else:
            count += 1
            yield found
    if not count:
        raise CorpusError(f"{path}: has no cue with text. Nothing can be aligned with it.")
