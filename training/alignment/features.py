"""Two subtitle files as arrays, on one clock and in one measure of length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.alignment.clock import Timing
from training.alignment.segments import Ending, Segment

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: The share of sentences that a file marks, if it marks as many as the other one.
MARKED = 0.95
#: Files that end so few segments with a full stop do without.
LEAST_MARKED = 0.15
#: Characters that are added to lengths, since short texts vary more.
LENGTH_FLOOR = 10.0
#: A border within a cue is where its share of the characters is; by so much of the cue's time, it
#: is elsewhere.
SLACK = 0.2


@dataclass(frozen=True)
class Side:
    """A file's segments and the borders between them: before the first, behind the last, and all
    others.

    Attributes:
        borders: `(segments + 1, 2)`: from the end of what is before to the start of what is behind,
            in seconds of the source's clock.
        slack: seconds by which each border may be elsewhere, `(segments + 1,)`.
        lengths: characters before each border, in the source's measure, `(segments + 1,)`.
        endings: what ends at each border, `(segments + 1,)`.
        sentences: sentences that end before or at each border, `(segments + 1,)`.
        surprise: nats of a sentence whose end is not marked.
    """

    borders: Floats
    slack: Floats
    lengths: Floats
    endings: Ints
    sentences: Ints
    surprise: float

    def __len__(self) -> int:
        return len(self.lengths) - 1


def sides_of(
    source: Sequence[Segment], target: Sequence[Segment], timing: Timing
) -> tuple[Side, Side]:
    """Both files, at least one segment each.

    Args:
        source, target: segments in order of time.
        timing: from the target's clock to the source's.
    """
    counts = [sum(each.ending == Ending.SENTENCE for each in side) for side in (source, target)]
    are_marked = any(_is_marked(side) for side in (source, target))
    characters = [sum(len(each.text) for each in side) for side in (source, target)]
    ratio = characters[0] / characters[1]
    marks = (counts[0] + 1) / (counts[1] + 1)
    return (
        _side(source, timing.of_source, 1.0, are_marked, marks),
        _side(target, timing.of_target, ratio, are_marked, 1 / marks),
    )


def apart(s: Side, t: Side, place: int, places: slice) -> Floats:
    """Seconds between the source's border `place` and each of the target's `places`: none if
    they share a moment."""
    border, borders = s.borders[place], t.borders[places]
    between = np.maximum(borders[:, 0] - border[1], border[0] - borders[:, 1])
    return np.asarray(np.maximum(0.0, between - s.slack[place] - t.slack[places]))


def _is_marked(segments: Sequence[Segment]) -> bool:
    """Whether statements, too, have a mark where they end."""
    stops = sum(each.ending == Ending.SENTENCE and not each.is_asked for each in segments)
    return stops >= LEAST_MARKED * len(segments)


def _side(
    segments: Sequence[Segment],
    on_common_clock: Callable[[Floats, Floats], Floats],
    ratio: float,
    are_marked: bool,
    marks: float,
) -> Side:
    begins = np.array([each.start for each in segments])
    starts = np.round(on_common_clock(begins, begins), 6)  # as equal as before
    ends = np.round(on_common_clock(begins, np.array([each.end for each in segments])), 6)
    endings = [Ending.SENTENCE, *(each.ending for each in segments)]
    if not are_marked:  # each cue is as good as a sentence
        endings = [Ending.SENTENCE] * len(endings)
    return Side(
        borders=np.stack(
            [np.append(-np.inf, np.maximum.accumulate(ends)), np.append(starts, np.inf)], axis=1
        ),
        slack=SLACK * _seconds_of_cues(segments, starts, ends),
        lengths=ratio * np.cumsum([0, *(len(each.text) for each in segments)]),
        endings=np.array(endings),
        sentences=np.cumsum(np.array(endings) == Ending.SENTENCE),
        surprise=-float(np.log(1 - MARKED * min(1.0, marks))),
    )


def _seconds_of_cues(segments: Sequence[Segment], starts: Floats, ends: Floats) -> Floats:
    """Of the cue that each border is within; 0 between cues. `(segments + 1,)`"""
    lines = np.array([each.line for each in segments])
    begins = np.append(True, lines[1:] != lines[:-1])  # a cue
    cues = np.cumsum(begins) - 1
    seconds = ends[np.append(begins[1:], True)] - starts[begins]
    return np.append(np.where(begins, 0.0, seconds[cues]), 0.0)
