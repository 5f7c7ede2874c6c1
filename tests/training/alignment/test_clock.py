from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from training.alignment.clock import Break, Timing, possible_timings, refined
from training.alignment.same_film import SURE_EVIDENCE
from training.files.records import Cue


def film(seed: int, cues: int = 150) -> list[Cue]:
    """Cues as in a film: uneven pauses, lengths that go with their time."""
    draw = random.Random(seed)
    found, now = [], 5000
    for line in range(cues):
        seconds = draw.uniform(0.8, 5.0)
        text = "x" * int(seconds * draw.uniform(10, 18))
        found.append(Cue(now, now + int(1000 * seconds), text, line + 1))
        now += int(1000 * (seconds + draw.choice([0.1, 0.1, 0.4, 2.0, 9.0])))
    return found


def translated(cues: list[Cue], seed: int) -> list[Cue]:
    """The same film in another hand: some cues joined, all a little off, other lengths."""
    draw = random.Random(seed)
    found: list[Cue] = []
    for cue in cues:
        length = int(len(cue.text) * draw.uniform(0.8, 1.3))
        moved = [max(0, time + draw.randint(-250, 250)) for time in (cue.start_ms, cue.end_ms)]
        if found and draw.random() < 0.2:
            last = found.pop()
            moved[0], length = last.start_ms, length + len(last.text)
        found.append(Cue(moved[0], max(moved), "y" * length, cue.line))
    return found


def retimed(cues: list[Cue], rate: float, offset: float) -> list[Cue]:
    return [
        replace(
            cue,
            start_ms=round(rate * cue.start_ms + 1000 * offset),
            end_ms=round(rate * cue.end_ms + 1000 * offset),
        )
        for cue in cues
    ]


def estimate_timing(source: list[Cue], target: list[Cue]) -> Timing:
    return possible_timings(source, target)[0]


@pytest.mark.parametrize("rate", [1.0, 25 / (24 / 1.001), 24 / 25, 25 / (30 / 1.001)])
@pytest.mark.parametrize("offset", [0.0, 3.7, -2.2, 95.0])
def test_the_clock_of_a_copy_is_found(rate: float, offset: float) -> None:
    source = film(1)
    target = retimed(translated(source, 2), rate, offset)
    timing = estimate_timing(source, target)
    assert timing.rate == pytest.approx(1 / rate, abs=1e-4)
    for second in (0.0, 500.0):
        assert timing.rate * (rate * second + offset) + timing.offset == pytest.approx(
            second, abs=0.2
        )
    assert timing.evidence > SURE_EVIDENCE


def test_another_film_gives_little_evidence() -> None:
    assert estimate_timing(film(1), film(2)).evidence < SURE_EVIDENCE


def test_a_stray_time_of_one_file_changes_nothing() -> None:
    source, target = film(1), translated(film(1), 2)
    stray = Cue(86_000_000, 86_001_000, "x", 999)
    assert estimate_timing([*source, stray], target) == estimate_timing(source, target)
    assert estimate_timing(source, [*target, stray]) == estimate_timing(source, target)


def test_the_cap_on_fast_speech_moves_with_no_frame_rate() -> None:
    source = [replace(cue, text=3 * cue.text) for cue in film(1)]
    target = translated(source, 2)
    evidence = [
        estimate_timing(source, retimed(target, rate, 0.0)).evidence
        for rate in (24 / 25, 25 / (24 / 1.001), 30 / 24)
    ]
    assert evidence == pytest.approx([evidence[0]] * 3, abs=0.01)


def test_rates_that_are_nearly_the_same_are_one_and_the_clocks_as_they_are_are_last() -> None:
    *found, last = possible_timings(film(1), film(2))
    rates = sorted(timing.rate for timing in found)
    assert len(rates) >= 5
    assert min(b / a for a, b in pairwise(rates)) > 1.002
    assert last == Timing()


def test_a_single_cue_is_enough_not_to_fail() -> None:
    cue = Cue(0, 0, "x", 1)
    assert estimate_timing([cue], [cue]).rate == 1.0


def moments(rate: float, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """A third of them are of something else."""
    draw = np.random.default_rng(3)
    target = np.sort(draw.uniform(0, 900, 120))
    source = rate * target + offset + draw.normal(0, 0.1, 120)
    source[::3] += draw.uniform(1, 6, 40)
    return source, target


def test_a_clock_that_is_off_is_mended_by_the_moments_that_agree() -> None:
    source, target = moments(1.0, 0.3)
    better = refined(Timing(1.001, -0.2, 12.0), source, target)
    ends = np.array([0.0, 900.0])
    assert better.of_target(ends, ends) == pytest.approx([0.3, 900.3], abs=0.1)
    assert better.evidence == 12.0


def test_a_clock_that_fits_is_left_alone_and_so_is_one_of_few_moments() -> None:
    source, target = moments(1.0, 0.3)
    fits = Timing(1.0, 0.2)
    assert refined(fits, source, target) == fits
    off = Timing(1.001, -0.2)
    assert refined(off, source[:20], target[:20]) == off
    assert refined(off, source, source * 0.9) == off  # no film drifts so much


def test_the_file_that_lacks_a_break_is_silent_for_so_long() -> None:
    timing = Timing(1.0, 2.0, breaks=(Break(100.0, 98.0, 30.0), Break(300.0, 268.0, -50.0)))
    source = np.array([99.0, 101.0, 299.0, 301.0])
    target = np.array([97.0, 98.0, 317.0, 319.0])
    assert timing.of_source(source, source).tolist() == [99.0, 101.0, 299.0, 351.0]
    assert timing.of_target(target, target).tolist() == [99.0, 130.0, 349.0, 351.0]


def test_what_begins_before_a_break_ends_before_it() -> None:
    timing = Timing(breaks=(Break(10.0, 10.0, 30.0),))
    assert timing.of_target(np.array([8.0]), np.array([10.5])).tolist() == [10.5]


def test_a_clock_with_a_break_is_mended_on_both_sides_of_it() -> None:
    source, target = moments(1.0, 0.3)
    source[target >= 450] += 30.0
    broken = Timing(1.001, -0.2, breaks=(Break(480.0, 450.0, 30.0),))
    better = refined(broken, source, target)
    ends = np.array([0.0, 900.0])
    assert better.of_target(ends, ends) == pytest.approx([0.3, 930.3], abs=0.1)
