"""Features of two subtitle files as arrays, with one clock and one measure of length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from model.text.sentences import is_question_or_exclamation
from model.types import Float64, Int64
from training.alignment.clock import Timing
from training.alignment.segments import Ending, Segment

#: The share of sentences whose end a file marks if it marks as many as the other file.
MARKED_SHARE = 0.95
#: A file with fewer segments that end in a full stop does not use full stops.
MIN_MARKED_SHARE = 0.15
#: Characters that are added to every length, since short texts vary more.
LENGTH_FLOOR = 10.0
#: A border within a cue is placed by its share of the characters; this share of the cue's time is
#: its tolerance.
SLACK_SHARE = 0.2


@dataclass(frozen=True)
class Side:
    """A file's segments and the borders before, between and after them.

    Attributes:
        borders: `(segments + 1, 2)`: the end of the segment before and the start of the segment
            after, in seconds on the source's clock.
        slack: seconds of tolerance of each border, `(segments + 1,)`.
        lengths: characters before each border, in the source's measure, `(segments + 1,)`.
        endings: the kind of ending at each border, `(segments + 1,)`.
        sentences: number of sentences that end before or at each border, `(segments + 1,)`.
        surprise: nats of a sentence whose end is not marked.
    """

    borders: Float64
    slack: Float64
    lengths: Float64
    endings: Int64
    sentences: Int64
    surprise: float

    def __len__(self) -> int:
        return len(self.lengths) - 1


def sides_of(
    source: Sequence[Segment], target: Sequence[Segment], timing: Timing
) -> tuple[Side, Side]:
    """Returns the features of both files, each with at least one segment.

    Args:
        source, target: segments in order of time.
        timing: from the target's clock to the source's.
    """
    counts = [sum(each.ending == Ending.SENTENCE for each in side) for side in (source, target)]
    are_marked = any(_marks_statements(side) for side in (source, target))
    characters = [sum(len(each.text) for each in side) for side in (source, target)]
    ratio = characters[0] / characters[1]
    mark_ratio = (counts[0] + 1) / (counts[1] + 1)
    return (
        _side(source, timing.of_source, 1.0, are_marked, mark_ratio),
        _side(target, timing.of_target, ratio, are_marked, 1 / mark_ratio),
    )


def border_distance(source: Side, target: Side, index: int, indices: slice) -> Float64:
    """Returns the seconds between the source's border `index` and each of the target's `indices`; 0
    if they share a moment."""
    border, borders = source.borders[index], target.borders[indices]
    between = np.maximum(borders[:, 0] - border[1], border[0] - borders[:, 1])
    return np.asarray(np.maximum(0.0, between - source.slack[index] - target.slack[indices]))


def _marks_statements(segments: Sequence[Segment]) -> bool:
    """Tells whether statements, too, have a mark at their end: all files mark questions and
    exclamations."""
    stops = sum(
        each.ending == Ending.SENTENCE and not is_question_or_exclamation(each.text)
        for each in segments
    )
    return stops >= MIN_MARKED_SHARE * len(segments)


def _side(
    segments: Sequence[Segment],
    on_common_clock: Callable[[Float64, Float64], Float64],
    ratio: float,
    are_marked: bool,
    mark_ratio: float,
) -> Side:
    begins = np.array([each.start for each in segments])
    starts = np.round(on_common_clock(begins, begins), 6)  # equal times stay equal
    ends = np.round(on_common_clock(begins, np.array([each.end for each in segments])), 6)
    endings = [Ending.SENTENCE, *(each.ending for each in segments)]
    if not are_marked:  # each cue counts as a sentence
        endings = [Ending.SENTENCE] * len(endings)
    return Side(
        borders=np.stack(
            [np.append(-np.inf, np.maximum.accumulate(ends)), np.append(starts, np.inf)], axis=1
        ),
        slack=SLACK_SHARE * _cue_seconds(segments, starts, ends),
        lengths=ratio * np.cumsum([0, *(len(each.text) for each in segments)]),
        endings=np.array(endings),
        sentences=np.cumsum(np.array(endings) == Ending.SENTENCE),
        surprise=-float(np.log(1 - MARKED_SHARE * min(1.0, mark_ratio))),
    )


def _cue_seconds(segments: Sequence[Segment], starts: Float64, ends: Float64) -> Float64:
    """Returns the seconds of the cue around each border, 0 between cues, `(segments + 1,)`."""
    lines = np.array([each.line for each in segments])
    begins = np.append(True, lines[1:] != lines[:-1])  # the first segment of a cue
    cues = np.cumsum(begins) - 1
    seconds = ends[np.append(begins[1:], True)] - starts[begins]
    return np.append(np.where(begins, 0.0, seconds[cues]), 0.0)
