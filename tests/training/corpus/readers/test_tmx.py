from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.corpus.readers.tmx import CHUNK_BYTES, read_tmx
from training.corpus.records import Example, Fault

HEAD = (
    '<?xml version="1.0"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"><header/><body>\n'
)
UNIT = '<tu><tuv xml:lang="{}"><seg>{}</seg></tuv>\n<tuv xml:lang="{}"><seg>{}</seg></tuv></tu>\n'
TAIL = "</body></tmx>\n"


def write(path: Path, *units: str, encoding: str = "utf-8") -> Path:
    path.write_text(HEAD + "".join(units) + TAIL, encoding=encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_segments_of_two_languages_are_a_pair(tmp_path: Path, encoding: str) -> None:
    units = (
        UNIT.format("en", "Yes &amp; no.", "de", "Ja\n  und nein."),
        UNIT.format("de", "Gut.", "en", "Good."),
    )
    path = write(tmp_path / "a.tmx", *units, encoding=encoding)
    assert list(read_tmx(path, ("en", "de"))) == [
        Example(("Yes & no.",), "Ja und nein.", "Yes & no.", f"{path}:4"),
        Example(("Good.",), "Gut.", "Good.", f"{path}:7"),
    ]


@pytest.mark.parametrize("code", ["en-GB", "EN", "en_us"])
def test_a_language_has_regions(tmp_path: Path, code: str) -> None:
    [example] = read_tmx(
        write(tmp_path / "a.tmx", UNIT.format(code, "Yes.", "de", "Ja.")), ("en", "de")
    )
    assert isinstance(example, Example)


def test_codes_are_no_text(tmp_path: Path) -> None:
    text = 'See <bpt i="1">&lt;b></bpt>this<ept i="1">&lt;/b></ept> <hi>page</hi>.<ph>{1}</ph>'
    [example] = read_tmx(
        write(tmp_path / "a.tmx", UNIT.format("en", text, "de", "x")), ("en", "de")
    )
    assert isinstance(example, Example)
    assert example.source == ("See this page.",)


def test_a_unit_without_a_language_is_a_fault_with_its_line(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tmx",
        UNIT.format("en", "Yes.", "fr", "Oui."),
        UNIT.format("en", "a", "de", "b"),
    )
    fault, example = read_tmx(path, ("en", "de"))
    assert fault == Fault(f"{path}:4", "has no segment in de")
    assert isinstance(example, Example)


def test_entities_are_refused_before_they_grow(tmp_path: Path) -> None:
    lol = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(10))
    path = tmp_path / "a.tmx"
    path.write_text(
        f'<!DOCTYPE tmx [{lol}]><tmx><tu><tuv xml:lang="en"><seg>&l9;</seg></tuv></tu></tmx>'
    )
    [fault] = read_tmx(path, ("en", "de"))
    assert isinstance(fault, Fault)
    assert "entity" in fault.reason


@pytest.mark.parametrize(
    "content", ["", "no XML", "<html><body/></html>", HEAD, HEAD + "<tu></tuv>"]
)
def test_another_file_is_a_fault_with_its_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.tmx"
    path.write_text(content)
    *_, fault = read_tmx(path, ("en", "de"))
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("not TMX: ")
    assert fault.origin.startswith(f"{path}:")


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "gbk"])
def test_an_encoding_that_cannot_be_read_is_a_fault(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.tmx"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><tmx/>')
    [fault] = read_tmx(path, ("en", "de"))
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("not TMX: ")


def test_units_behind_a_large_token_are_read(tmp_path: Path) -> None:
    """From 2.6 on, expat puts a token off that two chunks share, and what follows it."""
    note = f"<!-- {'x' * CHUNK_BYTES} -->\n"
    path = write(tmp_path / "a.tmx", note, UNIT.format("en", "Yes.", "de", "Ja."))
    assert list(read_tmx(path, ("en", "de"))) == [
        Example(("Yes.",), "Ja.", "Yes.", f"{path}:5"),
    ]


def test_what_was_sound_before_a_break_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.tmx"
    path.write_text(HEAD + UNIT.format("en", "Yes.", "de", "Ja.") + "<tu><")
    example, fault = read_tmx(path, ("en", "de"))
    assert isinstance(example, Example)
    assert isinstance(fault, Fault)


@settings(max_examples=80)
@given(
    pieces=st.lists(
        st.binary(max_size=12)
        | st.sampled_from(
            [b"<tu>", b"</tu>", b'<tuv xml:lang="en">', b"<seg>", b"</seg>", b"</tuv>"]
        )
    )
)
def test_wild_bytes_are_faults_at_worst(tmp_path: Path, pieces: list[bytes]) -> None:
    path = tmp_path / "a.tmx"
    path.write_bytes(b"<tmx>" + b"".join(pieces))
    for record in read_tmx(path, ("en", "de")):
        assert record.origin.startswith(f"{path}:")
