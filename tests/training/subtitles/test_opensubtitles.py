from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.files.records import Cue, Example, Fault
from training.prepare.sources import read_source
from training.recipe import SourceConfig
from training.subtitles.mine import Exchange, MiningOptions, mine
from training.subtitles.opensubtitles import (
    MAX_SENTENCE_CHARACTERS,
    film_of,
    read_opus_cues,
    read_sentences,
)

RAW = """<?xml version="1.0" encoding="utf-8"?>
<document id="67890">
  <s id="1">
    <time id="T1S" value="00:00:10,000" />
- Who is there?
  </s>
  <s id="2">
- It is me &amp; Ben.
    <time id="T1E" value="00:00:12,500" />
  </s>
  <s id="3">
    <time id="T2S" value="00:00:13,000" />
Come in
    <time id="T2E" value="00:00:14,000" />
    <time id="T3S" value="00: 00:14.1" />
and sit down.
    <time id="T3E" value="00:00:16,000" />
  </s>
  <meta><subtitle><language>English</language></subtitle></meta>
</document>
"""
TOKENISED = """<?xml version="1.0" encoding="utf-8"?>
<document id="67890">
 <s id="1">
  <time id="T1S" value="00:00:10,000" />
  <w id="1.1">-</w> <w id="1.2">Who</w> <w id="1.3">'s</w> <w id="1.4">there</w> <w id="1.5">?</w>
 </s>
 <s id="2">
  <w id="2.1">-</w> <w id="2.2">Me</w> <w id="2.3">.</w>
  <time id="T1E" value="00:00:12,500" />
 </s>
</document>
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_sentences_of_a_time_are_lines_of_a_cue(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", RAW)
    assert list(read_opus_cues(path)) == [
        Cue(10_000, 12_500, "- Who is there?\n- It is me & Ben.", 4),
        Cue(13_000, 14_000, "Come in", 12),
        Cue(14_100, 16_000, "and sit down.", 15),
    ]


def test_tokens_become_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", TOKENISED)
    assert list(read_opus_cues(path)) == [Cue(10_000, 12_500, "- Who's there?\n- Me.", 4)]


def test_parsed_documents_tell_their_spaces(tmp_path: Path) -> None:
    words = '<w misc="SpaceAfter=No">rock</w><w misc="SpaceAfter=No">/</w><w>pop</w><w>!</w>'
    path = write(tmp_path / "a.xml", f'<document><s id="1">{words}</s></document>')
    [sentence] = read_sentences(path)
    assert not isinstance(sentence, Fault)
    assert sentence.text == "rock/pop !"


def test_a_sentence_is_whole_whatever_times_are_in_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", RAW)
    sentences = [each for each in read_sentences(path) if not isinstance(each, Fault)]
    assert [(each.id, each.text, each.line) for each in sentences] == [
        ("1", "- Who is there?", 3),
        ("2", "- It is me & Ben.", 7),
        ("3", "Come in and sit down.", 11),
    ]


@pytest.mark.parametrize(
    ("times", "line", "reason"),
    [
        ('<time id="T1S" value="x"/>a<time id="T1E" value="00:00:02,000"/>', 1, "expected <time"),
        ('<time id="T1" value="00:00:02,000"/>a', 1, "expected <time"),
        ('<time id="T1S" value="00:00:02,000"/>a', 1, "its cue has no end"),
        ('<time id="T1E" value="00:00:02,000"/>', 1, "its cue has no start"),
        (
            '<time id="T1S" value="00:00:02,000"/>a<time id="T1E" value="00:00:01,000"/>',
            1,
            "ends before it starts",
        ),
        (
            '<time id="T1S" value="00:00:02,000"/>a<time id="T1E" value="25:00:00,000"/>',
            1,
            "ends after more than 24 hours",
        ),
        ("no time", 2, "text outside of a cue"),
    ],
)
def test_a_broken_time_costs_its_cue_only(
    tmp_path: Path, times: str, line: int, reason: str
) -> None:
    sound = '<s><time id="T2S" value="00:00:03,000"/>b<time id="T2E" value="00:00:04,000"/></s>'
    path = write(tmp_path / "a.xml", f"<document><s>{times}</s>\n{sound}</document>")
    *faults, cue = read_opus_cues(path)
    assert isinstance(faults[0], Fault)
    assert faults[0].origin == f"{path}:{line}"
    assert faults[0].reason.startswith(reason)
    assert cue == Cue(3000, 4000, "b", 2)


def test_what_was_sound_before_a_break_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xml", RAW.partition("Come in")[0] + "<s><")
    cue, fault = read_opus_cues(path)
    assert isinstance(cue, Cue)
    assert isinstance(fault, Fault)
    assert fault.origin == f"{path}:13"
    assert fault.reason.startswith("not XML of OPUS: ")


def test_entities_are_refused(tmp_path: Path) -> None:
    entity = '<!DOCTYPE document [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    path = write(tmp_path / "a.xml", f'{entity}<document><s id="1">&a;</s></document>')
    [fault] = read_sentences(path)
    assert fault == Fault(f"{path}:1", "not XML of OPUS: it declares an entity, a")


def test_a_sentence_without_end_is_refused(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.xml", f"<document><s>{' ' * (MAX_SENTENCE_CHARACTERS + 1)}</s></document>"
    )
    [fault] = read_opus_cues(path)
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("not XML of OPUS: a sentence of ")


def test_another_document_is_a_fault(tmp_path: Path) -> None:
    [fault] = read_opus_cues(write(tmp_path / "a.xml", "<feed><entry/></feed>"))
    assert isinstance(fault, Fault)
    assert fault.reason == "not XML of OPUS: it has no sentence <s>"


def test_all_subtitles_of_a_film_are_one_group() -> None:
    assert film_of("/data/OpenSubtitles/raw/en/1994/109830/67890.xml") == "1994/109830"
    assert film_of("de/1994/109830/3.xml.gz") == "1994/109830"
    assert film_of("en/book.xml") == "en/book.xml"


def test_a_released_archive_is_read_film_by_film(tmp_path: Path) -> None:
    archive = tmp_path / "en.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("OpenSubtitles/raw/en/1994/1/10.xml", RAW)
        file.writestr("OpenSubtitles/raw/en/1994/1/11.xml", TOKENISED)
        file.writestr("OpenSubtitles/raw/en/1995/2/12.xml", "<document><s>")
        file.writestr("OpenSubtitles/INFO", "not a document")
    source = SourceConfig(format="opensubtitles", path="en.zip")
    records = list(read_source(source, tmp_path, [archive], []))
    examples = [each for each in records if isinstance(each, Example)]
    assert [(each.source[-1], each.target, each.group) for each in examples] == [
        ("Who is there?", "It is me & Ben.", "1994/1"),
        ("It is me & Ben.", "Come in and sit down.", "1994/1"),
        ("Who's there?", "Me.", "1994/1"),
    ]
    [fault] = (each for each in records if isinstance(each, Fault))
    assert fault.origin == "en.zip/OpenSubtitles/raw/en/1995/2/12.xml:1"


def test_mine_reads_packed_documents(tmp_path: Path) -> None:
    path = tmp_path / "a.xml.gz"
    path.write_bytes(gzip.compress(RAW.encode()))
    first, *_ = mine([str(path)], MiningOptions())
    assert isinstance(first, Exchange)
    assert (first.context, first.reply, first.start) == (
        ("Who is there?",),
        "It is me & Ben.",
        10.0,
    )


@settings(max_examples=80)
@given(
    pieces=st.lists(
        st.binary(max_size=8)
        | st.sampled_from(
            [
                b"<s>",
                b"</s>",
                b"<w>",
                b"</w>",
                b'<time id="T1S" value="00:00:01,000"/>',
                b'<time id="T1E" value="00:00:02,000"/>',
            ]
        )
    )
)
def test_wild_bytes_are_faults_at_worst(tmp_path: Path, pieces: list[bytes]) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(b"<document>" + b"".join(pieces) + b"</document>")
    for found in read_opus_cues(path):
        assert isinstance(found, Cue) or found.origin.startswith(f"{path}:")
    for sentence in read_sentences(path):
        assert not isinstance(sentence, Fault) or sentence.origin.startswith(f"{path}:")
