"""The command `align`: pairs from two subtitle files of one film, for other programs to use."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from training.alignment.films import Pair
from training.alignment.reader import align_films
from training.errors import CorpusError, MismatchError
from training.files.records import Fault, fault_of
from training.formats import MIN_SCORE


@dataclass(frozen=True)
class FilmPair:
    """A pair of texts that two subtitle files have at the same time.

    Attributes:
        source, target: the texts, each on one line.
        score: 0 to 1.
        source_start, source_end, target_start, target_end: in seconds, each on its file's clock.
        source_file, target_file: the files that the texts are from.
        source_lines, target_lines: the lines of these files with the times of the pair's cues.
    """

    source: str
    target: str
    score: float
    source_start: float
    source_end: float
    target_start: float
    target_end: float
    source_file: str
    target_file: str
    source_lines: tuple[int, ...]
    target_lines: tuple[int, ...]

    def to_json(self) -> str:
        """Returns the pair as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def film_pairs(
    films: Iterable[tuple[str, str]],
    min_score: float = MIN_SCORE,
    *,
    on_read: Callable[[tuple[str, str]], object] = lambda _: None,
) -> Iterator[FilmPair | Fault]:
    """Yields the pairs of each film, as a stream; a film that cannot be read becomes a fault.

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
            yield _film_pair(pair, source, target)


def _film_pair(pair: Pair, source: str, target: str) -> FilmPair:
    return FilmPair(
        source=pair.source_text,
        target=pair.target_text,
        score=round(pair.score, 3),
        source_start=round(pair.source[0].start, 3),
        source_end=round(pair.source[-1].end, 3),
        target_start=round(pair.target[0].start, 3),
        target_end=round(pair.target[-1].end, 3),
        source_file=source,
        target_file=target,
        source_lines=tuple(dict.fromkeys(each.line for each in pair.source)),
        target_lines=tuple(dict.fromkeys(each.line for each in pair.target)),
    )
