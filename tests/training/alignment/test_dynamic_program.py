"""The cheapest groups of a few segments, by what each cost is for."""

from __future__ import annotations

import numpy as np

from training.alignment.clock import Timing
from training.alignment.dynamic_program import MAX_BAND_WIDTH, Group, _bands, cheapest_groups
from training.alignment.features import Side, sides_of
from training.alignment.segments import Segment, segments_of
from training.alignment.word_links import Links
from training.files.records import Cue

Timed = list[tuple[float, float, str]]


def sides(source: Timed, target: Timed) -> tuple[Side, Side]:
    def segments(timed: Timed) -> list[Segment]:
        return segments_of(
            Cue(round(1000 * start), round(1000 * end), text, line)
            for line, (start, end, text) in enumerate(timed, start=1)
        )

    return sides_of(segments(source), segments(target), Timing())


def links(*found: tuple[int, int]) -> Links:
    pairs = np.array(sorted(found), np.int64).reshape(-1, 2)
    return Links(pairs[:, 0], pairs[:, 1], np.ones(len(pairs)))


def both(*groups: tuple[int, int]) -> list[Group]:
    return [Group(group, group) for group in groups]


SENTENCES = [(0.0, 2.0, "One is here."), (2.0, 4.0, "Two is here."), (4.0, 6.0, "Three is so.")]
SHIFTED = [(0.0, 3.0, "Eins ist hier."), (3.0, 5.0, "Zwei ist hier."), (5.0, 6.0, "Drei ist so.")]


def test_sentences_that_agree_in_time_are_groups() -> None:
    assert cheapest_groups(*sides(SENTENCES, SENTENCES), links()) == both((0, 1), (1, 2), (2, 3))


def test_links_across_a_border_join_what_it_parts() -> None:
    s, t = sides(SENTENCES, SENTENCES)
    across = links((0, 1), (0, 1), (0, 1), (1, 0), (1, 0), (2, 2), (2, 2), (2, 2))
    assert cheapest_groups(s, t, across) == both((0, 2), (2, 3))


def test_links_tell_which_sentence_only_one_file_has() -> None:
    source = [(0.0, 2.0, "One is here."), (2.0, 4.0, "Two is here.")]
    target = [*source, (4.0, 5.0, "A new part.")]
    linked = links(*[(0, 0)] * 3, *[(1, 1)] * 3)
    assert cheapest_groups(*sides(source, target), linked) == both((0, 1), (1, 2))


def test_a_group_may_hold_a_sentence_of_twelve_cues() -> None:
    cues = [(float(n), n + 1.0, "and on") for n in range(11)]
    target = [*cues, (11.0, 12.0, "to the end.")]
    s, t = sides([(0.0, 12.0, "a very long sentence of a film, " * 3 + "to the end.")], target)
    assert cheapest_groups(s, t, links()) == [Group((0, 1), (0, 12))]


def test_cues_that_are_all_shown_at_once_are_compared_in_a_narrow_band() -> None:
    at_once = [(0.0, 5.0, "So it is.") for _ in range(300)]
    s, t = sides(at_once, at_once)
    *bands, _ = (band.stop - band.start for band in _bands(s, t))  # the last one reaches the end
    assert set(bands) == {MAX_BAND_WIDTH + 1}
    assert cheapest_groups(s, t, links())
