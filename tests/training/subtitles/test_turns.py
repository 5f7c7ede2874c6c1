from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from training.files.records import Cue, Fault
from training.subtitles.labels import LABEL_END, LABEL_START
from training.subtitles.turns import DEFAULT_PAUSES, Pauses, habits_of, scenes_of

#: Questions and answers with a pause between them, or with none.
PAUSED = [(2000 * i, 2000 * i + 1000, "Who?" if i % 2 else "Me.") for i in range(20)]
CHAINED = [(1000 * i, 1000 * i + 1000, "Who?" if i % 2 else "Me.") for i in range(20)]


def cues(*timed: tuple[int, int, str] | tuple[int, int, str, str]) -> list[Cue]:
    return [Cue(*each[:3], line, *each[3:]) for line, each in enumerate(timed, start=1)]


def texts(found: list[Cue | Fault] | list[Cue], pauses: Pauses = DEFAULT_PAUSES) -> list[list[str]]:
    return [[turn.text for turn in scene] for scene in scenes_of(found, pauses)]


def after(start: int, *timed: tuple[int, int, str]) -> list[tuple[int, int, str]]:
    return [(start + begin, start + end, text) for begin, end, text in timed]


def test_pauses_mean_something_where_questions_are_followed_by_one() -> None:
    assert habits_of(cues(*PAUSED), DEFAULT_PAUSES).separates_speakers_by_pauses
    assert not habits_of(cues(*CHAINED), DEFAULT_PAUSES).separates_speakers_by_pauses
    assert not habits_of(cues(*PAUSED[:6]), DEFAULT_PAUSES).separates_speakers_by_pauses


def test_close_cues_are_one_turn_where_pauses_part_speakers() -> None:
    more = after(90_000, (0, 1000, "I went."), (1100, 2000, "Then I came."), (2400, 3000, "oh"))
    assert texts(cues(*PAUSED, *more))[-1] == ["I went. Then I came.", "oh"]


def test_only_sentences_are_joined_where_cues_follow_at_once() -> None:
    more = after(90_000, (0, 1000, "I went"), (1000, 2000, "away. So."), (2000, 3000, "Oh."))
    assert texts(cues(*CHAINED, *more))[-1] == ["I went away. So.", "Oh."]


def test_three_dots_part_a_sentence_that_goes_on() -> None:
    more = after(
        90_000, (0, 1000, "It was fine..."), (1000, 2000, "until now."), (2000, 3000, "Oh...")
    )
    assert texts(cues(*CHAINED, *more, (93_000, 94_000, "Why?")))[-1] == [
        "It was fine... until now.",
        "Oh...",
        "Why?",
    ]


def test_cues_are_turns_where_nothing_ends_a_sentence() -> None:
    assert texts(cues((0, 1000, "我不知道"), (1000, 2000, "为什么"), (2000, 3000, "走吧"))) == [
        ["我不知道", "为什么", "走吧"]
    ]


def test_a_name_or_a_voice_tells_who_goes_on() -> None:
    named = cues(
        (0, 1000, "I went,", "Ann"),
        (1000, 2000, "I saw,", "Ann"),
        (2000, 3000, "you came.", "Bob"),
        (3000, 4000, "Yes."),
    )
    [scene] = scenes_of(named)
    assert [(turn.speaker, turn.text) for turn in scene] == [
        ("Ann", "I went, I saw,"),
        ("Bob", "you came."),
        ("", "Yes."),
    ]


def test_another_colour_is_another_speaker() -> None:
    coloured = [
        Cue(0, 1000, "Who is", 1, "", "yellow"),
        Cue(1000, 2000, "it?", 2, "", "yellow"),
        Cue(2000, 3000, "Me", 3),
        Cue(3000, 4000, "Oh", 4, "", "cyan"),
    ]
    more = [Cue(9000 + start, 9000 + end, text, 5) for start, end, text in PAUSED]
    assert texts([*coloured, *more])[0] == ["Who is it?", "Me", "Oh"]


def test_a_cue_in_two_layers_is_one() -> None:
    assert texts(cues((0, 1000, "Hi."), (0, 1000, "Hi."), (1000, 2000, "Oh."))) == [["Hi.", "Oh."]]


def test_a_reply_may_repeat_its_message() -> None:
    for gap in (0, 500):  # before the cue: it says nothing about what is in it
        found = cues((0, 1000, "Well?"), (1000 + gap, 2000 + gap, "- Bye.\n- Bye."))
        assert texts(found) == [["Well?", "Bye.", "Bye."]]
    assert texts(cues((0, 1000, "- No."), (1000, 2000, "- No."))) == [["No.", "No."]]
    assert texts(cues((0, 1000, "No.", "Ann"), (1000, 2000, "No.", "Bob"))) == [["No.", "No."]]


def test_what_is_shown_again_is_said_once() -> None:
    assert texts(cues((0, 1000, "- No."), (0, 1000, "- No."))) == [["No."]]
    assert texts(cues((0, 1000, "Hi."), (1000, 2000, "Hi."), (2000, 3000, "Oh."))) == [
        ["Hi.", "Oh."]
    ]


def test_a_name_that_a_cue_repeats_goes_on_whatever_was_before() -> None:
    for start in (0, 5000):
        [scene] = scenes_of(cues((start, start + 1000, "ANNA: Oh.\nANNA: I see.")))
        assert [turn.text for turn in scene] == ["Oh. I see."]


def test_long_pauses_and_lost_cues_end_scenes() -> None:
    found: list[Cue | Fault] = [*cues((0, 1000, "A."), (1500, 2000, "B."), (2500, 3000, "C."))]
    assert texts(found) == [["A.", "B.", "C."]]
    assert texts([*found[:2], Fault("a:9", "lost"), found[2]]) == [["A.", "B."], ["C."]]
    assert texts(found, Pauses(turn_ms=250, scene_ms=400)) == [["A."], ["B."], ["C."]]
    assert texts([found[2], found[0], found[1]]) == [["A.", "B.", "C."]]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9000),
            st.integers(0, 3000),
            st.text("ab .?-:\n[]♪A>（）田：。\x02\x03", max_size=9),
        ),
        max_size=20,
    )
)
def test_every_turn_has_words_and_a_time(timed: list[tuple[int, int, str]]) -> None:
    found = cues(*((start, start + length, text) for start, length, text in timed))
    for scene in scenes_of(found):
        assert scene
        for turn in scene:
            assert turn.text == turn.text.strip() and "\n" not in turn.text
            assert any(map(str.isalnum, turn.text))
            assert LABEL_START not in turn.text and LABEL_END not in turn.text
            assert 0 <= turn.start_ms <= turn.end_ms
