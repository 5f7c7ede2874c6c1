from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.files.records import Example, Fault
from training.readers.tmx import BLOCK_CHARACTERS, MAX_UNIT_CHARACTERS, read_tmx

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


def test_entities_that_a_document_declares_are_unknown_and_never_grow(tmp_path: Path) -> None:
    lol = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(10))
    path = tmp_path / "a.tmx"
    units = UNIT.format("en", "&l9;", "de", "x") + UNIT.format("en", "Yes.", "de", "Ja.")
    path.write_text(f"<!DOCTYPE tmx [{lol}]><tmx><body>{units}{TAIL}")
    fault, example = read_tmx(path, ("en", "de"))
    assert isinstance(fault, Fault)
    assert fault.reason.endswith("undefined entity")
    assert isinstance(example, Example)


def test_the_characters_that_html_names_are_read(tmp_path: Path) -> None:
    german = "Dreh&nbsp;&uuml;ber &#233;&lt;&amp;nbsp; <![CDATA[&nbsp;]]>"
    path = write(tmp_path / "a.tmx", UNIT.format("en", "Turn&nbsp;it&hellip;", "de", german))
    [example] = read_tmx(path, ("en", "de"))
    assert isinstance(example, Example)
    assert (example.source, example.target) == (
        ("Turn it\u2026",),
        "Dreh \u00fcber \u00e9<&nbsp; &nbsp;",
    )


#: What may be wrong with a unit.
DAMAGED = (
    UNIT.format("en", "Yes&#x1F;", "de", "Ja"),
    UNIT.format("en", "Yes&#0;", "de", "Ja"),
    UNIT.format("en", "Yes\x0b", "de", "Ja"),
    UNIT.format("en", "Yes\0", "de", "Ja"),
    UNIT.format("en", "Yes & no", "de", "Ja"),
    UNIT.format("en", "Yes &none; no", "de", "Ja"),
    UNIT.format("en", "1 < 2", "de", "Ja"),
    UNIT.format("en", "<b>Yes", "de", "Ja"),
    UNIT.format("en", "Yes</b>", "de", "Ja"),
    UNIT.format("en", "<!-- Yes", "de", "Ja"),
    UNIT.format("en", "<![CDATA[Yes", "de", "Ja"),
    UNIT.format('en" xml:lang="en', "Yes", "de", "Ja"),
    UNIT.format("en><", "Yes", "de", "Ja"),
    UNIT.format("en", "Yes", "de", "Ja").replace("</tu>", ""),
    UNIT.format("en", "Yes", "de", "Ja").replace("</tu>", "</t>"),
    UNIT.format("en", "Yes", "de", "Ja").replace("<tu>", ""),
    UNIT.format("en", "Yes", "de", "Ja").replace("<tu>", "<t u>"),
    UNIT.format("en", "Yes", "de", "Ja").replace("</tuv>\n", "\n"),
    UNIT.format("en", "Yes", "de", "Ja").replace("</seg>", "<seg/>"),
    UNIT.format("en", "Yes", "fr", "Oui"),
)


@pytest.mark.parametrize("damaged", DAMAGED)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_damaged_unit_is_one_fault_and_the_others_are_read(
    tmp_path: Path, damaged: str, encoding: str
) -> None:
    units = [UNIT.format("en", f"Yes {i}.", "de", f"Ja {i}.") for i in range(4)]
    path = write(tmp_path / "a.tmx", *units[:2], damaged, *units[2:], encoding=encoding)
    one, two, fault, three, four = read_tmx(path, ("en", "de"))
    assert isinstance(fault, Fault)
    assert fault.origin in (f"{path}:8", f"{path}:9", f"{path}:10")
    found = [each for each in (one, two, three, four) if isinstance(each, Example)]
    assert [each.source for each in found] == [(f"Yes {i}.",) for i in range(4)]
    assert [each.origin for each in found] == [f"{path}:{line}" for line in (4, 6, 10, 12)]


def test_bytes_that_are_no_text_are_marked_in_their_unit_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tmx", *(UNIT.format("en", text, "de", "x") for text in ("@", "b")))
    path.write_bytes(path.read_bytes().replace(b"@", b"caf\xe9"))
    sources = [each.source for each in read_tmx(path, ("en", "de")) if isinstance(each, Example)]
    assert sources == [("caf\ufffd",), ("b",)]


@settings(max_examples=80)
@given(
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    wild=st.lists(st.text(max_size=4) | st.sampled_from(["<seg>", "</tuv>", "<!--", "&#1;", '"'])),
)
def test_what_a_unit_holds_never_costs_another(
    tmp_path: Path, before: int, after: int, wild: list[str]
) -> None:
    content = "".join(wild).encode("utf-8", "replace").decode()
    units = [UNIT.format("en", f"Yes {i}.", "de", f"Ja {i}.") for i in range(before + after)]
    damaged = UNIT.format("en", content, "de", "x")
    path = write(tmp_path / "a.tmx", *units[:before], damaged, *units[before:])
    records = read_tmx(path, ("en", "de"))
    sources = [record.source[0] for record in records if isinstance(record, Example)]
    known = [f"Yes {i}." for i in range(before + after)]
    assert sources[:before] == known[:before]
    assert sources[len(sources) - after :] == known[before:]


def test_units_in_comments_are_none(tmp_path: Path) -> None:
    hidden = f"<!-- {UNIT.format('en', 'No.', 'de', 'Nein.')} -->\n"
    path = write(tmp_path / "a.tmx", hidden, UNIT.format("en", "Yes.", "de", "Ja."))
    assert list(read_tmx(path, ("en", "de"))) == [Example(("Yes.",), "Ja.", "Yes.", f"{path}:7")]


def test_units_of_files_that_were_joined_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tmx", UNIT.format("en", "Yes.", "de", "Ja."))
    path.write_text(path.read_text() * 2)
    assert sum(isinstance(each, Example) for each in read_tmx(path, ("en", "de"))) == 2


def test_a_unit_that_never_ends_is_left_out(tmp_path: Path) -> None:
    endless = "<tu><tuv xml:lang='en'><seg>" + "much " * (MAX_UNIT_CHARACTERS // 2)
    path = write(tmp_path / "a.tmx", endless, UNIT.format("en", "Yes.", "de", "Ja."))
    *faults, example = read_tmx(path, ("en", "de"))
    assert faults and all(isinstance(fault, Fault) for fault in faults)
    assert isinstance(example, Example)


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


@pytest.mark.parametrize("encoding", ["klingon", "rot13"])
def test_an_encoding_that_cannot_be_read_is_a_fault(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.tmx"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><tmx/>')
    [fault] = read_tmx(path, ("en", "de"))
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("not TMX: ")


@pytest.mark.parametrize("declared", ["gbk", "GB18030"])
def test_a_document_may_declare_its_encoding(tmp_path: Path, declared: str) -> None:
    path = tmp_path / "a.tmx"
    head = HEAD.replace('"1.0"', f'"1.0" encoding="{declared}"')
    unit = UNIT.format("zh", "\u6d77", "en", "Sea")
    path.write_text(head + unit + TAIL, encoding=declared)
    [example] = read_tmx(path, ("zh", "en"))
    assert isinstance(example, Example)
    assert example.source == ("\u6d77",)


def test_units_behind_a_long_comment_are_read(tmp_path: Path) -> None:
    note = f"<!-- {'x' * BLOCK_CHARACTERS} -->\n"
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
