"""Reader of bitext from two subtitle files of one film."""

from __future__ import annotations

from pathlib import Path

from training.alignment.films import Pair, align
from training.alignment.same_film import estimate_clock
from training.errors import CorpusError, MismatchError
from training.files.records import Cue, Example, Fault, Records, fault_of
from training.formats import MIN_SCORE
from training.subtitles.cues import read_cues


def align_films(source: Path, target: Path, min_score: float) -> tuple[list[Pair], list[Fault]]:
    """Returns the pairs of two subtitle files whose score is `min_score` or more, in order, and the
    cues that could not be read.

    Raises:
        CorpusError: if a file cannot be read or has no cue.
        MismatchError: if they are not of one film, or no pair has such a score.
    """
    faults: list[Fault] = []
    source_cues, target_cues = (_cues(path, faults) for path in (source, target))
    timing = estimate_clock(source_cues, target_cues)
    aligned = align(source_cues, target_cues, timing) if timing else []
    best = max((pair.score for pair in aligned), default=0.0)
    if not aligned or best < min(min_score, MIN_SCORE):
        raise MismatchError(
            f"{source}: does not fit {target}: their times and words agree at no shift or frame "
            "rate. Do both belong to the same film and the same cut?"
        )
    pairs = [pair for pair in aligned if pair.score >= min_score]
    if not pairs:
        raise MismatchError(
            f"{source}: its best pair with {target} has a score of {best:.2f}, below the minimum "
            f"of {min_score:g}. Lower the minimum."
        )
    return pairs, faults


def read_film_pairs(source: Path, target: Path, min_score: float) -> Records:
    """Yields one example per pair. The source file is the group, so no split divides a film."""
    try:
        pairs, faults = align_films(source, target, min_score)
    except CorpusError as error:
        yield fault_of(error, source, target)
        return
    yield from faults
    for pair in pairs:
        origin = f"{source}:{pair.source[0].line}"
        yield Example((pair.source_text,), pair.target_text, str(source), origin)


def _cues(path: Path, faults: list[Fault]) -> list[Cue]:
    """Returns the cues of a file, and adds its faults to `faults`."""
    found = list(read_cues(path))
    faults += [each for each in found if isinstance(each, Fault)]
    cues = [each for each in found if isinstance(each, Cue)]
    if not cues:
        raise CorpusError(f"{path}: has no cue with text, so it cannot be aligned.")
    return cues
