"""Which files are of one film, if times alone do not tell. On talks: `test_film_truth.py`."""

from __future__ import annotations

import random

import pytest

from training.alignment.clock import possible_timings
from training.alignment.same_film import FEW_CUES, SURE_EVIDENCE, estimate_clock
from training.files.records import Cue


def written(seed: int, cues: int = 120) -> list[Cue]:
    """Cues without a pause and all as long, so that their times tell next to nothing."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghiklmnopqrst", k=6)) for _ in range(80)]
    return [
        Cue(3000 * n, 3000 * (n + 1), " ".join(draw.choices(words, k=5)) + ".", n + 1)
        for n in range(cues)
    ]


def translated(cues: list[Cue]) -> list[Cue]:
    """Each word is another, always the same."""
    letters = str.maketrans("abcdefghiklmnopqrst", "zyxwvuzyxwvuzyxwvuz")
    return [Cue(cue.start_ms, cue.end_ms, cue.text.translate(letters), cue.line) for cue in cues]


def test_words_that_meet_tell_one_film_where_times_do_not() -> None:
    source = written(1)
    target = translated(source)
    times_alone = possible_timings(source, translated(written(2)))[0]
    assert times_alone.evidence < SURE_EVIDENCE
    clock = estimate_clock(source, target)
    assert clock is not None
    assert clock.rate == 1.0
    assert clock.offset == pytest.approx(0.0, abs=0.1)
    assert estimate_clock(source, translated(written(2))) is None


def test_short_files_are_not_judged() -> None:
    few = FEW_CUES - 1
    assert estimate_clock(written(1, few), translated(written(2))) is not None
    assert estimate_clock(written(1, few + 1), translated(written(2))) is None


def test_files_without_speech_do_not_fit() -> None:
    notes = [Cue(cue.start_ms, cue.end_ms, "[music]", cue.line) for cue in written(1)]
    assert estimate_clock(notes, [Cue(10**6, 10**6 + 1, "[music]", 1)] * FEW_CUES) is None
