"""Reads SAMI as people find it: in one or several languages, hardly ever well formed."""

from __future__ import annotations

from pathlib import Path

from training.files.records import Cue, Fault
from training.subtitles.cues import read_cues

HEAD = "<SAMI>\n<HEAD><STYLE><!--\nP { color: white }\n--></STYLE></HEAD>\n<BODY>\n"


def cues(folder: Path, body: str, encoding: str = "utf-8") -> list[Cue | Fault]:
    path = folder / "a.smi"
    path.write_bytes(f"{HEAD}{body}</BODY></SAMI>\n".encode(encoding))
    return list(read_cues(path))


def test_a_text_is_shown_until_the_next(tmp_path: Path) -> None:
    body = (
        "<SYNC Start=1000><P Class=ENCC>\n- Who is\nthere?<br>- It's <i>me</i> &amp; you.\n"
        "<SYNC Start=2500><P Class=ENCC>&nbsp;\n<sync start='3000'><p>Bye.\n"
    )
    assert cues(tmp_path, body) == [
        Cue(1000, 2500, "- Who is there?\n- It's me & you.", 6),
        Cue(3000, 7000, "Bye.", 10),
    ]


def test_each_language_is_shown_until_its_own_next(tmp_path: Path) -> None:
    body = (
        "<SYNC Start=1000><P Class=KRCC>안녕하세요.<P Class=ENCC>Hello.\n"
        "<SYNC Start=2000><P Class=ENCC>Bye.\n<SYNC Start=3000><P Class=KRCC>&nbsp;\n"
        "<SYNC Start=4000><P Class=ENCC>&nbsp;\n"
    )
    expected = [
        Cue(1000, 2000, "Hello.", 6),
        Cue(1000, 3000, "안녕하세요.", 6),
        Cue(2000, 4000, "Bye.", 7),
    ]
    assert cues(tmp_path, body) == expected
    assert cues(tmp_path, body, "cp949") == expected


def test_a_text_that_ends_before_it_starts_costs_no_other(tmp_path: Path) -> None:
    body = "<SYNC Start=3000>One.\n<SYNC Start=2000>Two.\n<SYNC Start=4000>&nbsp;\n"
    fault, cue = cues(tmp_path, body)
    assert isinstance(fault, Fault) and fault.reason == "ends before it starts"
    assert cue == Cue(2000, 4000, "Two.", 7)
