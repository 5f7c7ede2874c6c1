from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from training.corpus.readers import read_source
from training.corpus.readers.moses import read_moses
from training.corpus.records import Example, Fault
from training.errors import CorpusError
from training.recipe import SourceConfig

SOURCE = SourceConfig(format="moses", path=".", languages=("en", "de"))


def test_an_archive_of_opus_holds_a_pair(tmp_path: Path) -> None:
    path = tmp_path / "de-en.txt.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README", "of OPUS")
        archive.writestr("Tatoeba.de-en.de", "Ja.\nNein.\n")
        archive.writestr("Tatoeba.de-en.en", "Yes.\nNo.\n")
        archive.writestr("Tatoeba.de-en.xml", "<x/>")
    assert list(read_source(SOURCE, tmp_path, [path], [])) == [
        Example(("Yes.",), "Ja.", "Yes.", "de-en.txt.zip/Tatoeba.de-en.en:1"),
        Example(("No.",), "Nein.", "No.", "de-en.txt.zip/Tatoeba.de-en.en:2"),
    ]


def test_files_side_by_side_are_a_pair_packed_or_not(tmp_path: Path) -> None:
    (tmp_path / "a.en.gz").write_bytes(gzip.compress(b"Yes.\n"))
    (tmp_path / "a.de").write_text("Ja.\n")
    [example] = read_moses(tmp_path / "a.en.gz", ("en", "de"))
    assert example == Example(("Yes.",), "Ja.", "Yes.", f"{tmp_path / 'a.en.gz'}:1")
    assert list(read_moses(tmp_path / "a.de", ("en", "de"))) == []


def test_a_side_that_is_absent_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text("Yes.\n")
    with pytest.raises(CorpusError, match=r"no a\.de beside it"):
        list(read_moses(tmp_path / "a.en", ("en", "de")))


def test_an_archive_without_the_language_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.fr", "Oui.\n")
        archive.writestr("a.de", "Ja.\n")
    assert list(read_source(SOURCE, tmp_path, [path], [])) == [
        Fault("a.zip", "holds no file that ends in .en.")
    ]
