from __future__ import annotations

import pytest

from training.files.records import Cue, Fault
from training.subtitles.bilingual import keep_language, script_of, shows_two_languages

ENGLISH = [
    "Where did you leave the keys?",
    "They are on the kitchen table.",
    "I cannot see them there.",
    "Then somebody has taken them.",
]
GERMAN = [
    "Wo hast du die Schlüssel gelassen?",
    "Sie liegen auf dem Küchentisch.",
    "Ich kann sie dort nicht sehen.",
    "Dann hat sie jemand genommen.",
]
CHINESE = ["你把钥匙放在哪里？", "在厨房的桌子上。", "我在那里看不到。", "那就是有人拿走了。"]


def cues(*texts: str, first: int = 1) -> list[Cue | Fault]:
    return [Cue(1000 * n, 1000 * n + 900, text, n) for n, text in enumerate(texts, start=first)]


def both(upper: list[str], lower: list[str]) -> list[Cue | Fault]:
    return cues(*(f"{one}\n{other}" for one, other in zip(upper, lower, strict=True)))


def texts(found: list[Cue | Fault]) -> list[str]:
    return [each.text if isinstance(each, Cue) else each.reason for each in found]


@pytest.mark.parametrize("other", [CHINESE, GERMAN])
def test_one_language_of_two_is_kept(other: list[str]) -> None:
    code = "zh" if other is CHINESE else "de"
    for found in (both(ENGLISH, other), both(other, ENGLISH)):
        assert shows_two_languages(found)
        assert texts(keep_language(found, "en")) == ENGLISH
        assert texts(keep_language(found, code)) == other


@pytest.mark.parametrize("other", [CHINESE, GERMAN])
def test_each_language_may_have_cues_of_its_own(other: list[str]) -> None:
    one_by_one = [cue for pair in zip(cues(*ENGLISH), cues(*other), strict=True) for cue in pair]
    for found in (one_by_one, [*cues(*ENGLISH), *cues(*other)]):
        assert shows_two_languages(found)
        assert keep_language(found, "en") == cues(*ENGLISH)


def test_a_file_in_one_language_is_left_alone() -> None:
    for found in (both(ENGLISH, ENGLISH[::-1]), both(CHINESE, CHINESE[::-1]), cues(*GERMAN)):
        assert not shows_two_languages(found)
        assert keep_language(found, "de") == found


def test_a_half_may_have_two_lines_and_its_lines_are_told_by_their_language() -> None:
    found = both(ENGLISH, GERMAN)
    found += cues(
        "Who has been in this house\nyesterday evening?\nWer war gestern im Haus?", "1984", first=5
    )
    assert texts(keep_language(found, "de"))[4:] == ["Wer war gestern im Haus?", "1984"]
    assert texts(keep_language(found, "en"))[4:] == [
        "Who has been in this house\nyesterday evening?",
        "1984",
    ]


def test_cues_only_in_the_other_script_are_left_out_and_faults_stay_in_place() -> None:
    found = [*both(CHINESE, ENGLISH), Fault("a.srt:9", "lost"), *cues("Yes.", "是。", first=5)]
    assert texts(keep_language(found, "zh")) == [*CHINESE, "lost", "是。"]


@pytest.mark.parametrize(
    ("text", "script"),
    [("Hello", "LATIN"), ("Über", "LATIN"), ("Привет", "CYRILLIC"), ("我用iPhone", "CJK"),
     ("はい、OK", "CJK"), ("안녕", "CJK"), ("مرحبا", "ARABIC"), ("12 - !", ""), ("１２", "")],
)  # fmt: skip
def test_the_script_of_a_line_is_that_of_most_of_it(text: str, script: str) -> None:
    assert script_of(text) == script
