from __future__ import annotations

import gzip
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.files.records import Example, Fault
from training.formats import FORMATS, Format
from training.prepare.sources import NOT_UTF8, READERS, read_source
from training.recipe import SourceConfig


def test_every_format_of_a_recipe_has_a_reader() -> None:
    assert set(FORMATS) == set(get_args(Format))
    own = {"bitext", "subtitle-pairs"}
    assert {*READERS} | own == set(get_args(Format))


def test_files_are_named_from_their_root_wherever_that_lies(tmp_path: Path) -> None:
    source = SourceConfig(format="jsonl", path="talks/a.jsonl")
    read = []
    for root in (tmp_path / "here", tmp_path / "elsewhere"):
        file = root / "talks" / "a.jsonl"
        file.parent.mkdir(parents=True)
        file.write_text('{"turns": ["a", "b"]}\n{}\n')
        read.append(list(read_source(source, root, [file], [])))
    assert read[0] == read[1]
    example, fault = read[0]
    assert isinstance(example, Example)
    assert (example.group, example.origin) == ("talks/a.jsonl:1", "talks/a.jsonl:1:2")
    assert fault.origin == "talks/a.jsonl:2"


@pytest.mark.parametrize("content", [b"caf\xe9\tb\n", b"a\tcaf\xe9\n"])
def test_bytes_that_are_no_text_are_a_fault(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.tsv"
    file.write_bytes(content)
    [fault] = read_source(SourceConfig(format="pairs", path="a.tsv"), tmp_path, [file], [])
    assert fault == Fault("a.tsv:1", NOT_UTF8)


def test_half_a_character_in_json_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"turns": ["\\ud83d", "b"]}\n')
    [fault] = read_source(SourceConfig(format="jsonl", path="a.jsonl"), tmp_path, [file], [])
    assert isinstance(fault, Fault)


def test_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tb\n")
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(b"c\td\n"))
    files = [tmp_path / "a.tsv", tmp_path / "b.tsv.gz"]
    records = read_source(SourceConfig(format="exchanges", path="."), tmp_path, files, [])
    assert [record.origin for record in records] == ["a.tsv:1", "b.tsv.gz:1"]


@pytest.mark.parametrize(
    "form", ["conversations", "cornell", "exchanges", "lines", "pairs", "scan", "bitext"]
)
@settings(max_examples=40)
@given(
    pieces=st.lists(
        st.binary(max_size=20)
        | st.sampled_from(
            [b"\t", b"\n", b"\r\n", b"> ", b" | ", b"IN: a OUT: b", b" +++$+++ ", b"['L1', 'L2']"]
        )
    )
)
def test_wild_bytes_are_faults_at_worst(tmp_path: Path, form: Format, pieces: list[bytes]) -> None:
    file, other = tmp_path / "movie_conversations.txt", tmp_path / "movie_lines.txt"
    for each in (file, other):
        each.write_bytes(b"".join(pieces))
    is_bitext = form == "bitext"
    source = SourceConfig(format=form, path=file.name, target_path=other.name if is_bitext else "")
    records = list(read_source(source, tmp_path, [file], [other] if is_bitext else []))
    assert all(isinstance(record, Example | Fault) for record in records)
    for record in records:
        record.origin.encode()
        if isinstance(record, Example):
            "".join((*record.source, record.target, record.group)).encode()
