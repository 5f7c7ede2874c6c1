from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import CorpusError
from training.files.records import Cue, Fault
from training.subtitles.cues import is_speech, read_cues

ASS = "[Script Info]\n[Events]\n"
SRT = "00:00:03,000 --> 00:00:04,000\nHi.\n"
EVENT = "Dialogue: 0,0:00:01.00,0:00:02.50,Default,{},0,0,0,,{}\n"


def cues(path: Path, content: str | bytes) -> list[Cue | Fault]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_cues(path))


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,500\nHi,\nthere.\n", 2),
        ("a.srt", "1\r\n00:00:01,000 --> 00:00:02,500\r\nHi,\r\nthere.\r\n", 2),
        ("a.srt", "1\r00:00:01,000 --> 00:00:02,500\rHi,\rthere.\r", 2),
        ("a.srt", "00:01.000 --> 00:02.5\nHi,\nthere.\n", 1),
        ("a.srt", "0:0:1 --> 0:0:2,5000 X1:1 X2:2\n<i>Hi,\nthere.</i>\n", 1),
        ("a.srt", "0:0:1,0.25 --> 0:0:2,500.9999\n{\\an8}Hi,\nthere.\n", 1),
        ("a.srt", "00: 00: 01, 000 -> 00: 00: 02, 500\nHi,\nthere.\n", 1),
        ("a.srt", "\u00a000:00:01.000 – > 00:00:02.500\nHi,\nthere.\n", 1),
        ("a.srt", "00:00:01:000 --&gt; 00:00:02:500\nHi,\nthere.\n", 1),
        ("a.srt", "00:01 → 00:02:500\nHi,\nthere.\n", 1),
        ("a.srt", "1 00:00:01,000 --> 00:00:02,500 Hi,\nthere.\n", 1),
        ("a.srt", "[00:01.000 --> 00:02.500]  Hi,\nthere.\n", 1),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.500\nHi,\nthere.\n", 3),
        ("a.vtt", "WEBVTT\n\n00:00:01,000 --> 00:00:02,500 line:0\nHi,\nthere.\n", 3),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,500\nHi,<br />there.\n", 2),
        ("a.vtt", "WEBVTT\n\n00:01.000 --> 00:02.500\nHi,<BR>there.\n", 3),
        ("a.sbv", "0:00:01.000,0:00:02.500\nHi,\nthere.\n", 1),
        ("a.ass", ASS + EVENT.format("", "{\\i1}Hi,\\Nthere."), 3),
        (
            "a.ssa",
            "[V4 Styles]\n" + EVENT.format("", "Hi,\\nthere.").replace(": 0", ": Marked=0"),
            2,
        ),
        ("a.sub", "{1}{1}10\n{10}{25}{y:i}Hi,|there.\n", 2),
        ("a.sub", "[10][25]/Hi,|there.\n", 1),
        ("a.sub", "[INFORMATION]\n\n00:00:01.00,00:00:02.50\nHi,[br]there.\n", 3),
    ],
)
def test_every_format_has_times_and_plain_text(
    tmp_path: Path, name: str, content: str, line: int
) -> None:
    assert cues(tmp_path / name, content) == [Cue(1000, 2500, "Hi,\nthere.", line)]


def test_frames_without_a_rate_are_those_of_a_film(tmp_path: Path) -> None:
    [cue] = cues(tmp_path / "a.sub", "{23976}{47952}Hi.\n")
    assert isinstance(cue, Cue)
    assert (cue.start_ms, cue.end_ms) == (1_000_000, 2_000_000)


def test_names_of_substation_are_speakers_and_comments_are_not_shown(tmp_path: Path) -> None:
    content = (
        ASS + EVENT.format("Ann", "Hi.") + EVENT.format("", "no").replace("Dialogue", "Comment")
    )
    assert cues(tmp_path / "a.ass", content + EVENT.format("", "{\\p1}m 0 0 l 1 1{\\p0}")) == [
        Cue(1000, 2500, "Hi.", 3, "Ann")
    ]


@pytest.mark.parametrize("style", ["Signs", "OP-english"])
def test_signs_and_songs_of_substation_are_not_said(tmp_path: Path, style: str) -> None:
    written = EVENT.format("", "Harbour").replace("Default", style)
    sung = EVENT.format("", "{\\k20}u{\\k30}mi")
    found = cues(tmp_path / "a.ass", ASS + written + sung + EVENT.format("", "Hi."))
    assert [each.text for each in found if isinstance(each, Cue)] == ["Hi."]
    assert len(found) == 1


@pytest.mark.parametrize("mark", ["\u200e", "\u202b", "\u2067", "\ufeff", "&rlm;", "&#8206;"])
def test_marks_of_direction_and_order_are_no_text(tmp_path: Path, mark: str) -> None:
    content = f"{mark}1\n{mark}00:00:01,000 --> 00:00:02,000\n{mark}- Yes?{mark}\n{mark}- No.\n"
    assert cues(tmp_path / "a.srt", content) == [Cue(1000, 2000, "- Yes?\n- No.", 2)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_that_were_joined_say_neither_mark_nor_index(tmp_path: Path, encoding: str) -> None:
    one = "1\n00:00:01,000 --> 00:00:02,000\nWho?\n\n".encode(encoding)
    two = "1\n00:00:03,000 --> 00:00:04,000\nMe.\n".encode(encoding)
    assert cues(tmp_path / "a.srt", one + two) == [
        Cue(1000, 2000, "Who?", 2),
        Cue(3000, 4000, "Me.", 6),
    ]


def test_colours_that_tell_speakers_are_parted(tmp_path: Path) -> None:
    time = "00:00:01,000 --> 00:00:02,000\n"
    text = "<font color='#FFFF00'>Who?\nYou?</font>\nMe.\n<font color=cyan><i>Oh.</i></font>\n"
    assert cues(tmp_path / "a.srt", time + text) == [
        Cue(1000, 2000, "Who?\nYou?", 1, "", "#ffff00"),
        Cue(1000, 2000, "Me.", 1),
        Cue(1000, 2000, "Oh.", 1, "", "cyan"),
    ]


def test_a_coloured_word_is_a_word(tmp_path: Path) -> None:
    text = "00:00:01,000 --> 00:00:02,000\nRow <font color=red>the</font> boat.\n"
    assert cues(tmp_path / "a.srt", text) == [Cue(1000, 2000, "Row the boat.", 1)]


def test_how_ruby_is_read_is_no_text(tmp_path: Path) -> None:
    text = "<ruby>海<rp>(</rp><rt>うみ</rt><rp>)</rp></ruby>へ<ruby>行<rt>い</ruby>く？"
    assert cues(tmp_path / "a.srt", f"00:00:01,000 --> 00:00:02,000\n{text}\n") == [
        Cue(1000, 2000, "海へ行く？", 1)
    ]


def test_entities_of_web_pages_are_text(tmp_path: Path) -> None:
    text = "It&#39;s R&D &amp; &quot;AT&T&quot;"
    [cue] = cues(tmp_path / "a.srt", f"00:00:01,000 --> 00:00:02,000\n{text}\n")
    assert isinstance(cue, Cue)
    assert cue.text == 'It\'s R&D & "AT&T"'


@pytest.mark.parametrize(
    "head", ["00:00:01,000 --> 00:00:02,000", "WEBVTT\n\n00:00:01.000 --> 00:00:02.000"]
)
def test_text_that_was_escaped_twice_is_read(tmp_path: Path, head: str) -> None:
    text = f"{head}\nIt&amp;#39;s R&amp;amp;D.\n"
    [cue] = cues(tmp_path / "a.sub", text)[-1:]
    assert isinstance(cue, Cue)
    assert cue.text == "It's R&D."


def test_tags_may_be_escaped(tmp_path: Path) -> None:
    text = "00:00:01,000 --> 00:00:02,000\n&lt;i&gt;Well&lt;/i&gt;, 5 &lt; 6.\n"
    assert cues(tmp_path / "a.srt", text) == [Cue(1000, 2000, "Well, 5 < 6.", 1)]


def test_shapes_are_no_text(tmp_path: Path) -> None:
    text = f"00:00:01,000 --> 00:00:02,000\nm 0 0 l 100 0 b 10 20.5 -3 4\n\n{SRT}"
    assert cues(tmp_path / "a.srt", text) == [Cue(3000, 4000, "Hi.", 4)]


@pytest.mark.parametrize(
    ("name", "bad", "good", "reason"),
    [
        ("a.srt", "00:00:0x,000 --> 00:00:02,000\nno\n", SRT, "expected hh"),
        ("a.srt", "00:00:05,000 --> 00:00:02,000\nno\n", SRT, "ends before"),
        ("a.ass", "Dialogue: 0,0:00:01.00\n", EVENT.format("", "Hi."), "expected 10 fields"),
        ("a.ass", EVENT.format("", "no").replace("01.00", "x"), EVENT.format("", "Hi."), "not ass"),
        ("a.sub", "{9}{1}no\n", "{30}{40}Hi.\n", "ends before"),
        ("a.sub", "{9no\n", "{30}{40}Hi.\n", "expected {frame}{frame}text"),
        ("a.sub", "9 no\n", "[30][40]Hi.\n", "expected [time][time]text"),
        ("a.sub", f"[{'9' * 400}][{'9' * 400}]no\n", "[30][40]Hi.\n", "not mpl2"),
        ("a.srt", "A story.\n\n", SRT, "text before the first time"),
        ("a.srt", "99:59:00,000 --> 99:59:01,000\nno\n", SRT, "ends after more than 24"),
        ("a.sub", "{900}{999999999}no\n", "{910}{920}Hi.\n", "ends after more than 24"),
        ("a.sub", "[1][99999999]no\n", "[30][40]Hi.\n", "ends after more than 24"),
    ],
)
def test_a_bad_cue_is_named_and_costs_no_other(
    tmp_path: Path, name: str, bad: str, good: str, reason: str
) -> None:
    fault, cue = cues(tmp_path / name, bad + good)
    assert isinstance(fault, Fault)
    assert fault.origin == f"{tmp_path / name}:1"
    assert fault.reason.startswith(reason)
    assert isinstance(cue, Cue)
    assert cue.text == "Hi."


def test_an_hour_that_no_film_has_is_named(tmp_path: Path) -> None:
    bad = "9999999:00:01.000 --> 9999999:00:02.000\nno\n\n"
    fault, cue = cues(tmp_path / "a.vtt", f"WEBVTT\n\n{bad}00:01.000 --> 00:02.500\nHi.\n")
    assert fault == Fault(f"{tmp_path / 'a.vtt'}:3", "ends after more than 24 hours")
    assert cue == Cue(1000, 2500, "Hi.", 6)


def test_a_damaged_character_is_named(tmp_path: Path) -> None:
    content = "1\n00:00:01,000 --> 00:00:02,000\nдамаге".encode() + b"\xd0\n"
    assert cues(tmp_path / "a.srt", content) == [
        Fault(f"{tmp_path / 'a.srt'}:2", "has bytes that are not text")
    ]


def test_a_file_that_is_not_what_its_name_says_is_named_and_read(tmp_path: Path) -> None:
    fault, cue = cues(tmp_path / "a.srt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHi.\n")
    assert fault == Fault(f"{tmp_path / 'a.srt'}:1", "is WebVTT, though its name ends in .srt")
    assert isinstance(cue, Cue)


@pytest.mark.parametrize("mark", ["[", "(", "<a", "{", "\n", "♪", "&a"])
@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_a_cue_without_end_is_no_cue_and_takes_no_time(
    tmp_path: Path, name: str, mark: str
) -> None:
    head = "WEBVTT\n\n" if name == "a.vtt" else ""
    content = f"{head}00:00:01.000 --> 00:00:02.000\nx{mark * 200_000}x\n"
    faults = [each for each in cues(tmp_path / name, content) if isinstance(each, Fault)]
    assert len(faults) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"<!DOCTYPE html>\n<html>404</html>", "it is a web page or XML"),
        (b"<?xml version='1.0'?><a/>", "it is a web page or XML of another kind than TTML"),
        (b"A story without times.", "it has no time"),
        (b"\x00\x00\x01\xba" + bytes(range(256)) * 4, "it contains zero bytes"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "its encoding is not known (application/pdf)"),
    ],
)
def test_what_holds_no_subtitles_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.sub"
    with pytest.raises(CorpusError) as caught:
        cues(path, content)
    assert str(caught.value).startswith(f"{path}: not subtitles: {reason}")


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
