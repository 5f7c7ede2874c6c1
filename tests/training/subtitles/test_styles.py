from __future__ import annotations

import pytest

from training.subtitles.styles import is_speech


@pytest.mark.parametrize(
    "style",
    ["Sign", "signs 2", "OP-romaji", "OPEnglish", "ED1", "ed_kanji", "Insert Song", "Karaoke",
     "Episode Title", "CREDITS", "Lyrics", "Song-JP", "TS"],
)  # fmt: skip
def test_signs_and_songs_are_known_by_the_words_of_their_style(style: str) -> None:
    assert not is_speech(style, "Song of the sea")


@pytest.mark.parametrize(
    "style", ["Default", "Main", "Alternative", "Edward", "Opal", "Singer", "Subtitle", "Design"]
)
def test_other_styles_are_said(style: str) -> None:
    assert is_speech(style, "{\\an8}Look {\\i1}there{\\i0}!")


@pytest.mark.parametrize("tag", ["\\k20", "\\K20", "\\kf15", "\\ko5", "\\an8\\k12.5"])
def test_syllables_with_times_are_sung(tag: str) -> None:
    assert not is_speech("Default", f"{{{tag}}}u{{{tag}}}mi")
