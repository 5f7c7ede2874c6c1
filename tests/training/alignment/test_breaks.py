"""Stretches of cues with known offsets. On talks: `python -m benchmarks.alignment breaks`."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from training.alignment.breaks import GRID_SECONDS, STRETCH_COST, find_stretches, timing_of
from training.alignment.clock import Timing
from training.alignment.films import align
from training.alignment.same_film import MIN_STRETCH_GAIN, estimate_clock
from training.files.records import Cue
from training.formats import MIN_SCORE

CUES = 120


def talk(seed: int) -> list[Cue]:
    """Cues of uneven length and pauses; each third word is a name."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghijklm", k=7)) for _ in range(120)]
    found, now = [], 2.0
    for line in range(CUES):
        seconds = draw.uniform(1.5, 5.0)
        said = draw.choices(words, k=round(1.5 * seconds))
        names = [word.capitalize() if n % 3 == 0 else word for n, word in enumerate(said)]
        found.append(Cue(round(1000 * now), round(1000 * (now + seconds)), " ".join(names), line))
        now += seconds + draw.choice([0.1, 0.5, 2.0])
    return [replace(cue, text=f"{cue.text}.") for cue in found]


def translated(cues: list[Cue], seed: int = 0) -> list[Cue]:
    """All words but names are others, and times are a little off."""
    draw = random.Random(seed)
    letters = str.maketrans("abcdefghijklm", "zyxwvutsrqpon")
    return [
        replace(
            cue,
            start_ms=cue.start_ms + draw.randint(-100, 100),
            text=" ".join(
                word if word[0].isupper() else word.translate(letters) for word in cue.text.split()
            ),
        )
        for cue in cues
    ]


def later(cues: list[Cue], seconds: float) -> list[Cue]:
    return [
        replace(
            cue,
            start_ms=cue.start_ms + round(1000 * seconds),
            end_ms=cue.end_ms + round(1000 * seconds),
        )
        for cue in cues
    ]


def broken(cues: list[Cue], *breaks: tuple[int, float]) -> list[Cue]:
    """From the cue of each number on, all comes so many seconds later."""
    for cue, seconds in breaks:
        cues = [*cues[:cue], *later(cues[cue:], seconds)]
    return cues


def without(cues: list[Cue], first: int, last: int) -> list[Cue]:
    """Another cut of the film, without the scene of these cues."""
    gone = (cues[last].start_ms - cues[first].start_ms) / 1000
    return [*cues[:first], *later(cues[last:], -gone)]


def test_files_on_one_clock_are_one_stretch() -> None:
    [stretch] = find_stretches(talk(1), later(translated(talk(1)), 7.4), 1.0)
    assert (stretch.first, stretch.last) == (0, CUES - 1)
    assert stretch.offset == pytest.approx(-7.4, abs=GRID_SECONDS)


@pytest.mark.parametrize("seconds", [30.0, 240.0])
@pytest.mark.parametrize("is_in_source", [True, False])
def test_the_offset_between_any_two_breaks_is_found(seconds: float, is_in_source: bool) -> None:
    source, target = talk(1), translated(talk(1))
    if is_in_source:
        found = find_stretches(broken(source, (40, seconds), (80, seconds)), target, 1.0)
    else:
        found = find_stretches(source, broken(target, (40, seconds), (80, seconds)), 1.0)
    sign = 1 if is_in_source else -1
    offsets = [0.0, sign * seconds, 2 * sign * seconds]
    assert [each.offset for each in found] == pytest.approx(offsets, abs=GRID_SECONDS)
    assert [each.first for each in found] == pytest.approx([0, 40, 80], abs=2)
    assert [each.last for each in found] == pytest.approx([39, 79, CUES - 1], abs=2)


def test_breaks_in_either_file_part_stretches() -> None:
    source, target = broken(talk(1), (30, 90.0)), broken(translated(talk(1)), (80, 60.0))
    offsets = [each.offset for each in find_stretches(source, target, 1.0)]
    assert offsets == pytest.approx([0.0, 90.0, 30.0], abs=GRID_SECONDS)


def test_a_scene_that_one_file_lacks_is_in_no_stretch() -> None:
    source, target = talk(1), translated(talk(1))
    seconds = (source[60].start_ms - source[40].start_ms) / 1000
    before, after = find_stretches(without(source, 40, 60), target, 1.0)
    assert after.offset == pytest.approx(-seconds, abs=2 * GRID_SECONDS)
    assert before.last == pytest.approx(39, abs=2)
    assert after.first == pytest.approx(60, abs=2)


@pytest.mark.parametrize("seed", range(2, 6))
def test_two_talks_gain_too_little_to_be_believed(seed: int) -> None:
    found = find_stretches(talk(1), translated(talk(seed)), 1.0)
    assert sum(each.evidence - STRETCH_COST for each in found) < MIN_STRETCH_GAIN


def test_cues_of_one_moment_do_no_harm() -> None:
    assert find_stretches([Cue(0, 0, "x", 1)], [Cue(0, 0, "x", 1)] * 3, 1.0) == []


@pytest.mark.parametrize("breaks", [((40, 90.0), (80, 30.0)), ((60, 240.0),)])
@pytest.mark.parametrize("is_in_source", [True, False])
def test_files_with_breaks_meet_on_the_common_clock(
    breaks: tuple[tuple[int, float], ...], is_in_source: bool
) -> None:
    source, target = talk(1), translated(talk(1))
    if is_in_source:
        source = broken(source, *breaks)
    else:
        target = broken(target, *breaks)
    timing = timing_of(target, Timing(), find_stretches(source, target, 1.0))
    ours, theirs = (np.array([cue.start_ms / 1000 for cue in cues]) for cues in (source, target))
    apart = np.abs(timing.of_source(ours, ours) - timing.of_target(theirs, theirs))
    assert np.sum(apart > 0.5) <= 4  # of cues beside a break


@pytest.mark.parametrize("rate", [1.0, 25 * 1.001 / 24])
def test_pairs_behind_a_break_are_those_of_the_unbroken_files(rate: float) -> None:
    source = talk(1)
    target = [
        replace(cue, start_ms=round(rate * cue.start_ms), end_ms=round(rate * cue.end_ms))
        for cue in broken(translated(source), (45, 60.0))
    ]
    timing = estimate_clock(source, target)
    assert timing is not None
    pairs = [pair for pair in align(source, target, timing) if pair.score >= MIN_SCORE]
    lines = [(pair.source[0].line, pair.target[0].line) for pair in pairs]
    assert len([1 for one, other in lines if one == other]) >= CUES - 6
    assert len([1 for one, other in lines if one != other]) <= 2


def test_pairs_far_from_where_files_agree_score_low() -> None:
    source = talk(1)
    other = translated(talk(3))
    target = [
        *translated(source)[:80],
        *(cue for cue in other if cue.start_ms > source[80].start_ms),
    ]
    timing = estimate_clock(source, target)
    assert timing is not None
    begin = source[80].start_ms / 1000 + 35
    scores = [pair.score for pair in align(source, target, timing) if pair.target[0].start > begin]
    assert all(score < MIN_SCORE for score in scores)
