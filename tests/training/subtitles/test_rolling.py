from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from time import process_time

import pytest

from benchmarks.captions import KINDS, measure
from training.files.records import Cue, Fault
from training.subtitles.rolling import unrolled
from training.subtitles.turns import DEFAULT_PAUSES, scenes_of

PAUSE = DEFAULT_PAUSES.turn_ms
ROLL_UP = ["THE DOOR IS SHUT.", ">> WHO SHUT IT?", ">> I DID.", "IT WAS COLD.", ">> OH."]


def shown(*texts: str, start: int = 0, ms: int = 1000) -> list[Cue]:
    """Cues one after the other, without a pause."""
    return [
        Cue(start + ms * place, start + ms * (place + 1), text, place + 1)
        for place, text in enumerate(texts)
    ]


def rolled_up(lines: list[str], rows: int) -> list[Cue]:
    screens = [lines[max(0, end - rows) : end] for end in range(1, len(lines) + 1)]
    return shown(*("\n".join(screen) for screen in screens))


def new_texts(cues: list[Cue]) -> list[str]:
    return [cue.text for cue in unrolled(cues, PAUSE) or [] if cue]


def turns(found: list[Cue | Fault] | list[Cue]) -> list[str]:
    return [turn.text for scene in scenes_of(found) for turn in scene]


@pytest.mark.parametrize("rows", [2, 3, 4])
def test_lines_that_roll_up_are_said_once(rows: int) -> None:
    cues = rolled_up(ROLL_UP, rows)
    assert new_texts(cues) == ROLL_UP
    assert turns(cues) == ["THE DOOR IS SHUT.", "WHO SHUT IT?", "I DID. IT WAS COLD.", "OH."]


def test_automatic_captions_show_each_line_growing_and_frozen() -> None:
    lines = ["so this is the house", "where we all grew up", ">> and who lives here", "now"]
    cues = []
    for place, (above, line) in enumerate(pairwise([" ", *lines])):
        start = 2000 * place
        cues.append(Cue(start, start + 1990, f"{above}\n{line}", 2 * place + 1))
        cues.append(Cue(start + 1990, start + 2000, f"{line}\n ", 2 * place + 2))
    assert turns(cues) == ["so this is the house where we all grew up", "and who lives here now"]


def test_words_that_grow_are_said_once_also_where_their_lines_break_anew() -> None:
    first = shown("we", "we saw", "we saw the", "we saw\nthe sea", ms=300)
    assert turns([*first, *shown("it", "it is", start=2000)]) == ["we saw the sea", "it is"]


def test_a_mark_that_comes_before_its_words_is_kept() -> None:
    cues = shown(">>", ">> who", ">> who is it", ">> who is it\n>>", ">> who is it\n>> me", ms=200)
    assert turns(cues) == ["who is it", "me"]
    assert turns(shown("-", "- who", "- who is it", "- who is it\n-", "- who is it\n- me")) == [
        "who is it",
        "me",
    ]


def test_pauses_or_sentences_part_turns_where_no_mark_does() -> None:
    grown = shown("Who", "Who is", "Who is it?", ms=300)
    answer = shown("Me.", "Me. I", "Me. I am", "Me. I am\nhome.", start=1500, ms=300)
    assert turns([*grown, *answer]) == ["Who is it?", "Me. I am home."]
    assert turns(rolled_up(["WHO IS IT?", "ME. I HAVE", "THE KEY.", "COME IN."], 2)) == [
        "WHO IS IT?",
        "ME. I HAVE THE KEY.",
        "COME IN.",
    ]


def test_letters_that_grow_are_a_word() -> None:
    cues = shown("W", "WE", "WE S", "WE SA", "WE SAW", "WE SAW\nIT", ms=100)
    assert turns(cues) == ["WE SAW IT"]


def test_a_line_that_grows_while_it_rolls_is_said_once() -> None:
    cues = shown(
        "we saw", "we saw it", "we saw it\nthen we", "we saw it\nthen we ran", "then we ran"
    )
    assert turns(cues) == ["we saw it then we ran"]


def test_lines_that_a_program_joined_are_known_by_their_words() -> None:
    cues = shown("this is the old house", "this is the old house where we all grew up",
                 "where we all grew up and had to leave")  # fmt: skip
    assert turns(cues) == ["this is the old house where we all grew up and had to leave"]


def test_a_mark_within_a_line_changes_the_speaker() -> None:
    cues = rolled_up(["good evening >> hello", "how are you >>> the news", "of today"], 2)
    assert turns(cues) == ["good evening", "hello how are you", "the news of today"]


def test_a_file_that_does_not_roll_keeps_what_is_said_twice() -> None:
    cues = shown(
        "- No.", "- No.", "- Why?", "Never mind.", "- Never mind?", "- No.", "- No. Not you."
    )
    assert unrolled(cues, PAUSE) is None
    assert turns(cues) == [
        "No.", "No.", "Why?", "Never mind.", "Never mind?", "No.", "No. Not you."
    ]  # fmt: skip


def test_who_repeats_another_in_rolling_captions_is_heard() -> None:
    cues = rolled_up([">> COME.", ">> COME.", ">> I WILL NOT.", ">> WHY?"], 3)
    assert turns(cues) == ["COME.", "COME.", "I WILL NOT.", "WHY?"]


def test_nothing_is_shown_again_after_a_pause_or_a_lost_cue() -> None:
    cues = rolled_up(ROLL_UP, 2)
    later = [Cue(cue.start_ms + 9000, cue.end_ms + 9000, cue.text, 99) for cue in cues[-1:]]
    assert new_texts([*cues, *later]) == [*ROLL_UP, "IT WAS COLD.\n>> OH."]
    kept = unrolled([*cues[:2], None, *cues[2:]], PAUSE)
    assert kept
    assert [cue and cue.text for cue in kept][1:4] == [
        ">> WHO SHUT IT?",
        None,
        ">> WHO SHUT IT?\n>> I DID.",
    ]


def test_a_cue_that_shows_nothing_new_lasts_longer() -> None:
    first, second, _ = unrolled(shown("we", "we", "we saw", "we saw it", ms=500), PAUSE) or []
    assert first and second
    assert (first.text, first.end_ms, second.text, second.start_ms) == ("we", 1000, "saw", 1000)


def test_marks_of_live_captions_part_turns_where_nothing_rolls() -> None:
    cues = shown(">> WE SAW IT.", "IT WAS COLD.", ">> WHEN?", ">> LAST YEAR.")
    assert turns(cues) == ["WE SAW IT. IT WAS COLD.", "WHEN?", "LAST YEAR."]


def test_a_cue_that_joined_segments_hold_twice_is_said_once() -> None:
    found: list[Cue | Fault] = [*shown("A.", "B.", "C."), Fault("a.vtt:9", "lost")]
    assert turns([*found, Cue(2000, 3000, "C.", 12)]) == ["A.", "B.", "C."]


def test_damaged_cues_take_no_long() -> None:
    start = process_time()
    unrolled(shown(*("a " * 2400 for _ in range(200))), PAUSE)
    unrolled(shown("a " * 500_000, "a " * 500_000), PAUSE)
    assert process_time() - start < 5


@pytest.fixture(scope="module")
def measured(data_folder: Path) -> dict[str, tuple[int, int, int]]:
    return measure()


@pytest.mark.parametrize("kind", KINDS)
def test_exchanges_are_found_in_captions(
    measured: dict[str, tuple[int, int, int]], kind: str
) -> None:
    right, found, wanted = measured[kind]
    assert wanted > 200
    assert right >= 0.95 * found
    assert right >= 0.95 * wanted
