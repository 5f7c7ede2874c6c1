"""The aligner on cues that a person can check, and on any cues at all. On real films:
`test_film_truth.py`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.alignment.clock import Timing
from training.alignment.films import Pair, align
from training.alignment.segments import segments_of
from training.files.records import Cue
from training.formats import MIN_SCORE


def cues(*timed: tuple[float, float, str]) -> list[Cue]:
    return [
        Cue(round(1000 * start), round(1000 * end), text, line)
        for line, (start, end, text) in enumerate(timed, start=1)
    ]


def lines(pairs: list[Pair]) -> list[tuple[list[int], list[int]]]:
    return [
        ([each.line for each in pair.source], [each.line for each in pair.target])
        for pair in pairs
        if pair.score >= MIN_SCORE
    ]


SOURCE = cues(
    (1, 3, "Where have you been all night?"),
    (3.5, 5, "At the harbour."),
    (5.2, 7, "There was a ship."),
    (10, 12, "When the sun came up,"),
    (12, 14, "I went home."),
)


def test_one_to_one_two_to_one_and_one_to_two() -> None:
    target = cues(
        (1.1, 3.2, "Wo warst du die ganze Nacht?"),
        (3.4, 7.1, "Am Hafen, da lag ein Schiff."),
        (10.1, 11, "Als die Sonne"),
        (11, 14.1, "aufging, ging ich heim."),
    )
    assert lines(align(SOURCE, target, Timing())) == [
        ([1], [1]),
        ([2, 3], [2]),
        ([4, 5], [3, 4]),
    ]


def test_a_sentence_that_only_one_file_has_is_in_no_pair() -> None:
    target = cues(
        (1.1, 3.2, "Wo warst du die ganze Nacht?"),
        (7.5, 9.5, "Ein Schild: Nach Westen."),
        (10.1, 12, "Als die Sonne aufging,"),
        (12, 14.1, "ging ich heim."),
    )
    assert lines(align(SOURCE, target, Timing())) == [([1], [1]), ([4, 5], [3, 4])]


def test_a_sentence_that_ends_within_a_cue_is_cut_there() -> None:
    target = cues(
        (1, 4.2, "Wo warst du die ganze Nacht? Am"),
        (4.2, 7, "Hafen. Da lag ein Schiff."),
    )
    pairs = align(SOURCE[:3], target, Timing())
    assert [(pair.source_text, pair.target_text) for pair in pairs] == [
        ("Where have you been all night?", "Wo warst du die ganze Nacht?"),
        ("At the harbour.", "Am Hafen."),
        ("There was a ship.", "Da lag ein Schiff."),
    ]


def test_cues_without_full_stops_are_aligned_one_by_one() -> None:
    source = cues((1, 2, "first line"), (3, 4, "second line"), (4.1, 6, "third line"))
    target = cues((1, 2, "第一行"), (3, 4, "第二行"), (4.1, 6, "第三行"))
    assert lines(align(source, target, Timing())) == [([1], [1]), ([2], [2]), ([3], [3])]


def test_the_score_tells_pairs_that_disagree_in_time_or_length() -> None:
    [same] = align(cues((1, 3, "Hello there.")), cues((1, 3, "Hallo, du da.")), Timing())
    [late] = align(cues((1, 3, "Hello there.")), cues((2, 4, "Hallo, du da.")), Timing())
    assert same.score > 0.95
    assert late.score < same.score - 0.2


def test_no_cue_no_pair() -> None:
    assert align([], SOURCE, Timing()) == []
    assert align(SOURCE, cues((1, 2, "[music]")), Timing()) == []


any_cues = st.lists(
    st.tuples(
        st.integers(0, 60_000),
        st.integers(0, 6_000),
        st.sampled_from(
            ["Yes.", "- No.\n- Why?", "and then", "It is. It", "你好。", "(sigh)", ","]
        ),
    ),
    max_size=25,
).map(lambda found: [Cue(s, s + d, text, i) for i, (s, d, text) in enumerate(found, start=1)])


def places(pairs: list[Pair]) -> list[tuple[float, ...]]:
    return [(*(each.start for each in pair.source), pair.score) for pair in pairs]


@settings(max_examples=150)
@given(source=any_cues, target=any_cues)
def test_any_cues_give_monotone_pairs_and_no_text_twice(
    source: list[Cue], target: list[Cue]
) -> None:
    pairs = align(source, target, Timing())
    assert all(pair.source and pair.target for pair in pairs)
    for cues_of_side, side in ((source, "source"), (target, "target")):
        segments = iter(segments_of(cues_of_side))
        used = [each for pair in pairs for each in getattr(pair, side)]
        assert all(each in segments for each in used)  # in order: the iterator does not go back
    assert all(0.0 <= pair.score <= 1.0 for pair in pairs)


@settings(max_examples=60)
@given(source=any_cues, target=any_cues)
def test_another_clock_changes_nothing(source: list[Cue], target: list[Cue]) -> None:
    moved = [
        Cue(cue.start_ms + 400_000, cue.end_ms + 400_000, cue.text, cue.line) for cue in target
    ]
    expected = align(source, target, Timing())
    found = align(source, moved, Timing(offset=-400.0))
    assert places(found) == [pytest.approx(each, abs=1e-6) for each in places(expected)]
