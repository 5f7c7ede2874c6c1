"""Detection of whether two subtitle files are of one film, and how their clocks differ; pure.

They are of one film if stretches agree in times and in words that are spelt alike (`breaks.py`)
more than they do with one file reversed in time, or if cues clearly agree in time at one offset
(`clock.py`). Otherwise words decide (`word_links.py`): with the right clock many more of them are
linked than by chance, which is measured by shifting the texts of one file against their times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from training.alignment.breaks import STRETCH_COST, Stretch, find_stretches, timing_of
from training.alignment.clock import Timing, possible_timings
from training.alignment.features import sides_of
from training.alignment.films import align, timed_texts
from training.alignment.segments import Segment, segments_of
from training.alignment.word_links import TimedText, links_between
from training.files.records import Cue

#: Standard deviations at which a clock is accepted at once (two different films reach up to 9).
SURE_EVIDENCE = 10.0
#: Ratio of links to those by chance: different films reach up to 1.26, one film has at least 1.36.
MIN_LINK_RATIO = 1.3
#: Shifts of the texts by which links by chance are measured.
SHIFTS = 3
#: A clock other than the first by times must be better by this factor.
CLEAR_GAIN_FACTOR = 1.05
#: Files with fewer cues are too short to decide whether they are of one film.
FEW_CUES = 50
#: Nats, beyond the gain of the reversed source, at which stretches are accepted (different films on
#: one topic reach up to 10, one film has at least 14).
MIN_STRETCH_GAIN = 12.0
#: Rates that are tried besides 1 if times alone do not decide.
MAX_RATES = 3


def estimate_clock(source: Sequence[Cue], target: Sequence[Cue]) -> Timing | None:
    """Returns the map from the target's clock to the source's, or None if the films differ. Each
    file has at least one cue."""
    source_segments, target_segments = segments_of(source), segments_of(target)
    if not source_segments or not target_segments:
        return None
    source, target = (sorted(side, key=lambda cue: cue.start_ms) for side in (source, target))
    clocks = possible_timings(source, target)
    by_stretches = _timing_by_stretches(source, target, clocks)
    if by_stretches:
        return by_stretches
    if clocks[0].evidence >= SURE_EVIDENCE:
        return clocks[0]
    if min(len(source), len(target)) < FEW_CUES:
        return _timing_by_borders(source, target, clocks)
    return _timing_by_words(source_segments, target_segments, clocks)


def _timing_by_stretches(
    source: Sequence[Cue], target: Sequence[Cue], clocks: list[Timing]
) -> Timing | None:
    """Returns the clock at whose rate chains of stretches agree best, or None if it is unclear."""
    likely = clocks[:1]
    if clocks[0].evidence < SURE_EVIDENCE:
        as_they_are = [] if any(each.rate == 1 for each in clocks[:MAX_RATES]) else clocks[-1:]
        likely = [*clocks[:MAX_RATES], *as_they_are]
    reversed_source = _reversed_in_time(source)
    most, best = MIN_STRETCH_GAIN, None
    for clock in likely:
        stretches = find_stretches(source, target, clock.rate)
        gain = _gain(stretches)
        if gain > most:
            gain -= _gain(find_stretches(reversed_source, target, clock.rate))
        if gain > most:
            most, best = gain, timing_of(target, clock, stretches)
    return best


def _gain(stretches: Sequence[Stretch]) -> float:
    """Returns the evidence of stretches in nats, less the cost of each."""
    return sum(each.evidence - STRETCH_COST for each in stretches)


def _reversed_in_time(cues: Sequence[Cue]) -> list[Cue]:
    """Returns the cues reversed in time: whatever still agrees with another file is chance."""
    end = max(cue.end_ms for cue in cues)
    reversed_cues = [
        replace(cue, start_ms=end - cue.end_ms, end_ms=end - cue.start_ms) for cue in cues
    ]
    return sorted(reversed_cues, key=lambda cue: cue.start_ms)


def _timing_by_borders(
    source: Sequence[Cue], target: Sequence[Cue], clocks: list[Timing]
) -> Timing:
    """Returns the clock with which more borders agree: the first by times, or the unchanged one."""
    found, as_they_are = clocks[0], clocks[-1]
    agreement, other = (
        sum(pair.score for pair in align(source, target, timing)) for timing in (found, as_they_are)
    )
    return as_they_are if other > CLEAR_GAIN_FACTOR * agreement else found


def _timing_by_words(
    source: Sequence[Segment], target: Sequence[Segment], clocks: list[Timing]
) -> Timing | None:
    best, most = clocks[0], 0.0
    for clock in clocks:
        linked = _link_count(*_on_one_clock(source, target, clock))
        if linked > CLEAR_GAIN_FACTOR * most:
            best, most = clock, linked
    source_texts, target_texts = _on_one_clock(source, target, best)
    steps = [shift * len(target_texts) // (SHIFTS + 1) for shift in range(1, SHIFTS + 1)]
    by_chance = (
        sum(_link_count(source_texts, _shifted(target_texts, step)) for step in steps) / SHIFTS
    )
    return best if most >= MIN_LINK_RATIO * by_chance else None


def _on_one_clock(
    source: Sequence[Segment], target: Sequence[Segment], clock: Timing
) -> tuple[list[TimedText], list[TimedText]]:
    source_side, target_side = sides_of(source, target, clock)
    return timed_texts(source, source_side), timed_texts(target, target_side)


def _link_count(source: list[TimedText], target: list[TimedText]) -> float:
    """Returns the expected number of linked words."""
    return float(links_between(source, target).weights.sum())


def _shifted(segments: list[TimedText], step: int) -> list[TimedText]:
    """Returns the texts, each at the time of the one `step` places before it."""
    texts = [each.text for each in segments[step:] + segments[:step]]
    return [each._replace(text=text) for each, text in zip(segments, texts, strict=True)]
