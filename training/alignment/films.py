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

import numpy as np

from training.alignment.clock import Timing, refined
from training.alignment.dynamic_program import Group, cheapest_groups
from training.alignment.features import LENGTH_FLOOR, Floats, Side, apart, sides_of
from training.alignment.segments import Segment, segments_of
from training.alignment.word_links import Spoken, links_between
from training.files.records import Cue
from training.subtitles.speech import joined

#: The factor for the score of a pair that is far from every confirmed interval, and the seconds
#: from which it is far.
UNCONFIRMED, FAR_SECONDS = 0.4, 30.0
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
        return text_of(self.source)

    @property
    def target_text(self) -> str:
        """Returns the target's text, on one line."""
        return text_of(self.target)


def align(source: Sequence[Cue], target: Sequence[Cue], timing: Timing) -> list[Pair]:
    """Returns all pairs of two files of one film, in order; no text is in two pairs.

    Args:
        source: the cues of one file, in any order.
        target: the cues of the other.
        timing: from the target's clock to the source's (`fitting_clock`).
    """
    ours, theirs = segments_of(source), segments_of(target)
    if not ours or not theirs:
        return []
    s, t, groups = _grouped(ours, theirs, timing)
    better = refined(timing, *_starts(ours, theirs, groups))
    if better != timing:
        s, t, groups = _grouped(ours, theirs, better)
    return [
        Pair(
            tuple(ours[slice(*group.source)]),
            tuple(theirs[slice(*group.target)]),
            _score(s, t, group) * _trust(timing, theirs[group.target[0]]),
        )
        for group in groups
    ]


def spoken(segments: Sequence[Segment], side: Side) -> list[Spoken]:
    """Returns the texts of segments with their times on the common clock."""
    starts, ends = side.borders[:-1, 1], side.borders[1:, 0]
    return [
        Spoken(each.text, float(start), float(end))
        for each, start, end in zip(segments, starts, ends, strict=True)
    ]


def text_of(segments: Sequence[Segment]) -> str:
    """Returns the text of segments, at least one, on one line."""
    text = segments[0].text
    for segment in segments[1:]:
        text = joined(text, segment.text)
    return text


def _grouped(
    source: list[Segment], target: list[Segment], timing: Timing
) -> tuple[Side, Side, list[Group]]:
    s, t = sides_of(source, target, timing)
    links = links_between(spoken(source, s), spoken(target, t))
    return s, t, cheapest_groups(s, t, links)


def _starts(
    source: list[Segment], target: list[Segment], groups: list[Group]
) -> tuple[Floats, Floats]:
    """Returns the start of each group in seconds, for each side on its own clock."""
    return (
        np.array([source[group.source[0]].start for group in groups]),
        np.array([target[group.target[0]].start for group in groups]),
    )


def _trust(timing: Timing, segment: Segment) -> float:
    """Returns a factor below 1 far from confirmed intervals: there may be another break."""
    far = timing.seconds_from_confirmed(segment.start) > FAR_SECONDS
    return UNCONFIRMED if far else 1.0


def _score(s: Side, t: Side, group: Group) -> float:
    """Returns 1 if one side's time contains the other's and borders and lengths agree; less if not.

    A border may be anywhere in a silence.
    """
    differences = sum(
        float(apart(s, t, i, slice(j, j + 1))[0]) for i, j in zip(*group, strict=True)
    )
    sides = list(zip((s, t), group, strict=True))
    starts = [side.borders[start, 1] for side, (start, _) in sides]
    ends = [side.borders[end, 0] for side, (_, end) in sides]
    shorter = max(0.1, min(end - start for start, end in zip(starts, ends, strict=True)))
    overlap = max(0.0, min(ends) - max(starts)) / shorter
    lengths = sorted(
        side.lengths[end] - side.lengths[start] + LENGTH_FLOOR for side, (start, end) in sides
    )
    agreement = max(0.0, 1 - differences / (shorter + SECONDS_FLOOR))
    return float(agreement * min(1.0, overlap) ** 0.5 * (lengths[0] / lengths[1]) ** 0.5)
