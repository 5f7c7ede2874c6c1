from __future__ import annotations

from training.alignment.segments import Ending, segments_of
from training.files.records import Cue


def test_a_cue_is_cut_where_a_sentence_ends_and_its_time_is_shared() -> None:
    cues = [Cue(1000, 3000, "of gold. Then the", 2), Cue(3000, 4000, "rain came.", 6)]
    found = segments_of(cues)
    assert [(each.text, each.line) for each in found] == [
        ("of gold.", 2),
        ("Then the", 2),
        ("rain came.", 6),
    ]
    assert [(each.start, each.end) for each in found] == [(1.0, 2.0), (2.0, 3.0), (3.0, 4.0)]
    assert [each.ending for each in found] == [Ending.SENTENCE, Ending.NOTHING, Ending.SENTENCE]


def test_a_danda_ends_a_segment() -> None:
    found = segments_of([Cue(0, 1000, "यह अच्छा है। वह गया।", 1)])
    assert [each.text for each in found] == ["यह अच्छा है।", "वह गया।"]
    assert [each.ending for each in found] == [Ending.SENTENCE, Ending.SENTENCE]


def test_what_ends_with_a_segment() -> None:
    texts = ["First,", "and then", "I thought...", "... of you -", "- Me", "- Yes"]
    found = segments_of(Cue(1000 * i, 1000 * i + 900, text, i) for i, text in enumerate(texts))
    assert [each.ending for each in found] == [
        Ending.CLAUSE,
        Ending.NOTHING,
        Ending.NOTHING,  # the dots go on in the next cue
        Ending.SENTENCE,  # somebody else speaks next
        Ending.SENTENCE,
        Ending.NOTHING,
    ]


def test_a_capital_letter_ends_a_clause_and_a_minus_sign_ends_nothing() -> None:
    texts = ["we speak", "We see", "and", "I see", "it is", "-3 or", "- 4 more"]
    found = segments_of(Cue(1000 * i, 1000 * i + 900, text, i) for i, text in enumerate(texts))
    assert [each.ending for each in found] == [Ending.CLAUSE, *[Ending.NOTHING] * 6]


def test_a_clause_ends_too_where_one_word_of_it_stands_in_the_next_cue() -> None:
    texts = ["with a machine like", "this, then it", "would do", "this or that, and", "no, never"]
    found = segments_of(Cue(1000 * i, 1000 * i + 900, text, i) for i, text in enumerate(texts))
    assert [each.ending for each in found] == [
        Ending.CLAUSE,
        Ending.NOTHING,
        Ending.NOTHING,
        Ending.CLAUSE,
        Ending.NOTHING,
    ]


def test_adverts_and_notes_have_no_segments_and_the_order_is_that_of_time() -> None:
    cues = [
        Cue(5000, 6000, "Second.", 9),
        Cue(2000, 3000, "[door slams]", 5),
        Cue(1000, 2000, "First.", 1),
        Cue(7000, 8000, "Subtitles by someone", 13),
    ]
    assert [each.text for each in segments_of(cues)] == ["First.", "Second."]
