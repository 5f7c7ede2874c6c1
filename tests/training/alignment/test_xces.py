from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from training.alignment.xces import read_xces
from training.files.records import Example, Fault

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n'
    '<!DOCTYPE cesAlign PUBLIC "-//CES//DTD XML cesAlign//EN" "">\n<cesAlign version="1.0">\n'
)
GROUP = (
    '<linkGrp targType="s" fromDoc="de/1994/1/2.xml.gz" toDoc="en/1994/1/3.xml.gz">\n'
    '<link id="SL1" xtargets="1;1" overlap="0.9" />\n'
    '<link id="SL2" xtargets="2 3;2" />\n'
    '<link id="SL3" xtargets=";3" />\n'
    '<link id="SL4" xtargets="4;3" />\n'
    "</linkGrp>\n"
)
TAIL = "</cesAlign>\n"


def document(*texts: str) -> str:
    sentences = (f'<s id="{i}">{text}</s>' for i, text in enumerate(texts, start=1))
    return f"<document>{''.join(sentences)}</document>"


DOCUMENTS = {
    "de/1994/1/2.xml": document("Wer ist da?", "Ich bin es,", "dein Bruder.", "Komm."),
    "en/1994/1/3.xml": document("Who is there?", "It is me, your brother.", "Come in."),
}
FILM = "1994/1"


def in_folders(folder: Path) -> None:
    for name, text in DOCUMENTS.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)


def in_archives(folder: Path) -> None:
    for language in ("de", "en"):
        with zipfile.ZipFile(folder / f"{language}.zip", "w") as file:
            for name, text in DOCUMENTS.items():
                if name.startswith(language):
                    file.writestr(f"OpenSubtitles/raw/{name}", text)


def align(folder: Path, *groups: str) -> Path:
    path = folder / "de-en.xml"
    path.write_text(HEAD + "".join(groups) + TAIL)
    return path


@pytest.mark.parametrize("lay", [in_folders, in_archives])
def test_linked_sentences_are_a_pair(tmp_path: Path, lay: object) -> None:
    assert callable(lay)
    lay(tmp_path)
    path = align(tmp_path, GROUP)
    assert list(read_xces(path, ("en", "de"))) == [
        Example(("Who is there?",), "Wer ist da?", FILM, f"{path}:5"),
        Example(("It is me, your brother.",), "Ich bin es, dein Bruder.", FILM, f"{path}:6"),
        Example(("Come in.",), "Komm.", FILM, f"{path}:8"),
    ]


def test_without_languages_the_first_document_is_the_source(tmp_path: Path) -> None:
    in_folders(tmp_path)
    first, *_ = read_xces(align(tmp_path, GROUP), ())
    assert isinstance(first, Example)
    assert first.source == ("Wer ist da?",)


def test_documents_may_be_elsewhere(tmp_path: Path) -> None:
    in_folders(tmp_path / "OpenSubtitles" / "xml")
    (tmp_path / "links").mkdir()
    path = align(tmp_path / "links", GROUP)
    assert len(list(read_xces(path, ("de", "en"), [tmp_path / "OpenSubtitles"]))) == 3


def test_a_missing_document_costs_its_links_only(tmp_path: Path) -> None:
    in_folders(tmp_path)
    path = align(tmp_path, GROUP.replace("1994/1/3", "1994/1/4"), GROUP)
    fault, *examples = read_xces(path, ("de", "en"))
    assert fault == Fault(f"{path}:4", f"its document en/1994/1/4.xml.gz is not in {tmp_path}")
    assert len(examples) == 3
    assert all(isinstance(each, Example) for each in examples)


def test_a_missing_sentence_costs_its_link_only(tmp_path: Path) -> None:
    in_folders(tmp_path)
    path = align(tmp_path, GROUP.replace('"1;1"', '"1;9"').replace('"4;3"', '""'))
    missing, example, empty = read_xces(path, ("de", "en"))
    assert missing == Fault(f"{path}:5", "links sentence 9, which is not in its document")
    assert isinstance(example, Example)
    assert isinstance(empty, Fault)
    assert empty.origin == f"{path}:8"


def test_other_languages_are_a_fault(tmp_path: Path) -> None:
    in_folders(tmp_path)
    path = align(tmp_path, GROUP)
    [fault] = read_xces(path, ("en", "fr"))
    assert isinstance(fault, Fault)
    assert fault.origin == f"{path}:4"


def test_a_broken_document_is_used_up_to_where_it_breaks(tmp_path: Path) -> None:
    in_folders(tmp_path)
    broken = tmp_path / "de/1994/1/2.xml"
    broken.write_text(document("Wer ist da?").replace("</document>", "\n<"))
    path = align(tmp_path, GROUP)
    fault, example, *lost = read_xces(path, ("de", "en"))
    assert isinstance(fault, Fault)
    assert fault.origin == f"{broken}:2"
    assert isinstance(example, Example)
    assert all(isinstance(each, Fault) for each in lost)


def test_a_document_outside_of_its_folder_is_not_read(tmp_path: Path) -> None:
    in_folders(tmp_path / "inner")
    path = align(tmp_path, GROUP.replace("de/1994", "de/../inner/de/1994"))
    [fault] = read_xces(path, ())
    assert isinstance(fault, Fault)


@pytest.mark.parametrize("content", ["", "no XML", "<tmx/>", HEAD + "<linkGrp"])
def test_another_file_is_a_fault(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(content)
    [fault] = read_xces(path, ())
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("not XCES: ")
