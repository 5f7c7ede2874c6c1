from __future__ import annotations

import numpy as np

from training.alignment.clock import Timing
from training.alignment.features import SLACK_SHARE, border_distance, sides_of
from training.alignment.segments import Segment, segments_of
from training.files.records import Cue


def segments(*texts: str) -> list[Segment]:
    """Cues of two seconds, one second apart."""
    return segments_of(Cue(3000 * n, 3000 * n + 2000, text, n) for n, text in enumerate(texts))


def test_a_border_lies_anywhere_between_two_cues() -> None:
    s, t = sides_of(segments("One.", "Two."), segments("Eins.", "Zwei."), Timing())
    assert s.borders.tolist() == [[-np.inf, 0.0], [2.0, 3.0], [5.0, np.inf]]
    assert border_distance(s, t, 1, slice(0, 3)).tolist() == [2.0, 0.0, 2.0]


def test_a_border_within_a_cue_is_not_known_to_the_moment() -> None:
    s, t = sides_of(segments("One. Two."), segments("Eins. Zwei."), Timing())
    assert s.slack.tolist() == [0.0, SLACK_SHARE * 2.0, 0.0]
    assert border_distance(s, t, 1, slice(0, 2)).tolist() == [1.0 - SLACK_SHARE * 2.0, 0.0]


def test_both_files_are_on_the_clock_and_in_the_measure_of_the_source() -> None:
    s, t = sides_of(segments("Yes.", "No."), segments("Jawohl.", "Nein."), Timing(2.0, 1.0))
    assert t.borders[1:-1].tolist() == [[5.0, 7.0]]
    assert t.lengths[-1] == s.lengths[-1] == 7.0


def test_files_without_full_stops_end_a_sentence_with_each_cue() -> None:
    s, t = sides_of(segments("one", "two", "three"), segments("eins", "zwei"), Timing())
    assert s.sentences.tolist() == [1, 2, 3, 4]
    s, t = sides_of(segments("one?", "two", "three"), segments("eins?", "zwei!"), Timing())
    assert s.sentences.tolist() == [1, 2, 3, 4]
    s, t = sides_of(segments("one", "two", "three."), segments("eins", "zwei"), Timing())
    assert s.sentences.tolist() == [1, 1, 1, 2]
    assert t.sentences.tolist() == [1, 1, 1]
    assert s.surprise > t.surprise  # where one file marks so little, an unmarked end is no wonder
