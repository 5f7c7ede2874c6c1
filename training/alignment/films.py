"""Alignment of two lists of cues of one film: pairs of texts with the same meaning.

Pure, and without knowledge of any language: times, lengths, punctuation and words that occur
together in both files (`word_links.py`) decide. On one clock (`clock.py`), a dynamic program finds
the cheapest sequence of gaps and groups of a few sentences (`dynamic_program.py`). A sentence may
run over several cues, and two files split it in different places: so groups consist of segments
(`segments.py`), and a border between groups costs little where a sentence ends in both files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from model.types import Float64
from training.alignment.clock import Timing, refined
from training.alignment.dynamic_program import Group, cheapest_groups
from training.alignment.features import LENGTH_FLOOR, Side, border_distance, sides_of
from training.alignment.segments import Segment, segments_of
from training.alignment.word_links import TimedText, links_between
from training.files.records import Cue
from training.subtitles.speech import join_texts

#: The factor for the score of a pair that is far from every confirmed interval, and the seconds
#: from which it is far.
UNCONFIRMED_FACTOR, FAR_SECONDS = 0.4, 30.0
#: Seconds that are added to a pair's duration when its borders are scored: short pairs vary more.
SECONDS_FLOOR = 1.0


@dataclass(frozen=True)
class Pair:
    """Segments of both files with the same meaning.

    Attributes:
        source, target: at least one segment each, in order.
        score: 0 to 1, from the overlap in time, the agreement of borders, and the lengths; lower
            where neither times nor words confirm that the files agree.
    """

    source: tuple[Segment, ...]
    target: tuple[Segment, ...]
    score: float

    @property
    def source_text(self) -> str:
        """Returns the source's text, on one line."""
        return _text_of(self.source)

    @property
    def target_text(self) -> str:
        """Returns the target's text, on one line."""
        return _text_of(self.target)


def align(source: Sequence[Cue], target: Sequence[Cue], timing: Timing) -> list[Pair]:
    """Returns all pairs of two files of one film, in order; no text is in two pairs.

    Args:
        source, target: cues, in any order.
        timing: from the target's clock to the source's (`estimate_clock`).
    """
    source_segments, target_segments = segments_of(source), segments_of(target)
    if not source_segments or not target_segments:
        return []
    source_side, target_side, groups = _find_groups(source_segments, target_segments, timing)
    better = refined(timing, *_group_starts(source_segments, target_segments, groups))
    if better != timing:
        source_side, target_side, groups = _find_groups(source_segments, target_segments, better)
    return [
        Pair(
            tuple(source_segments[slice(*group.source)]),
            tuple(target_segments[slice(*group.target)]),
            _score(source_side, target_side, group)
            * _confidence(timing, target_segments[group.target[0]]),
        )
        for group in groups
    ]


def timed_texts(segments: Sequence[Segment], side: Side) -> list[TimedText]:
    """Returns the texts of segments with their times on the common clock."""
    starts, ends = side.borders[:-1, 1], side.borders[1:, 0]
    return [
        TimedText(each.text, float(start), float(end))
        for each, start, end in zip(segments, starts, ends, strict=True)
    ]


def _text_of(segments: Sequence[Segment]) -> str:
    return reduce(join_texts, (segment.text for segment in segments))


def _find_groups(
    source: list[Segment], target: list[Segment], timing: Timing
) -> tuple[Side, Side, list[Group]]:
    source_side, target_side = sides_of(source, target, timing)
    links = links_between(timed_texts(source, source_side), timed_texts(target, target_side))
    return source_side, target_side, cheapest_groups(source_side, target_side, links)


def _group_starts(
    source: list[Segment], target: list[Segment], groups: list[Group]
) -> tuple[Float64, Float64]:
    """Returns the start of each group in seconds, for each side on its own clock."""
    return (
        np.array([source[group.source[0]].start for group in groups]),
        np.array([target[group.target[0]].start for group in groups]),
    )


def _confidence(timing: Timing, segment: Segment) -> float:
    """Returns a factor below 1 far from confirmed intervals: there may be another break."""
    far = timing.seconds_from_confirmed(segment.start) > FAR_SECONDS
    return UNCONFIRMED_FACTOR if far else 1.0


def _score(source: Side, target: Side, group: Group) -> float:
    """Returns 1 if one side's time contains the other's and borders and lengths agree; less if not.

    A border may be anywhere in a silence.
    """
    differences = sum(
        float(border_distance(source, target, i, slice(j, j + 1))[0])
        for i, j in zip(*group, strict=True)
    )
    sides = list(zip((source, target), group, strict=True))
    starts = [side.borders[start, 1] for side, (start, _) in sides]
    ends = [side.borders[end, 0] for side, (_, end) in sides]
    shorter = max(0.1, min(end - start for start, end in zip(starts, ends, strict=True)))
    overlap = max(0.0, min(ends) - max(starts)) / shorter
    lengths = sorted(
        side.lengths[end] - side.lengths[start] + LENGTH_FLOOR for side, (start, end) in sides
    )
    agreement = max(0.0, 1 - differences / (shorter + SECONDS_FLOOR))
    return float(agreement * min(1.0, overlap) ** 0.5 * (lengths[0] / lengths[1]) ** 0.5)
