from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from training.errors import CorpusError, MisalignedError
from training.files.records import Example, Fault, Records
from training.formats import Format
from training.prepare.sources import read_source
from training.readers.moses import read_moses
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
        Fault("a.zip", "contains no file that ends in .en.")
    ]


@pytest.mark.parametrize("packing", ["plain", "gz", "zip"])
@pytest.mark.parametrize("form", ["moses", "bitext"])
def test_sides_of_other_lengths_stop_it_with_both_counts(
    tmp_path: Path, packing: str, form: Format
) -> None:
    sides = {"a.en": b"Yes.\nNo.\nWell.\n", "a.de": b"Ja.\nNein.\n"}
    names = write_sides(tmp_path, sides, packing)
    with pytest.raises(MisalignedError, match=r"a\.en.* has 3 lines, but .*a\.de\S* has 2"):
        list(read_sides(tmp_path, form, names))


@pytest.mark.parametrize("form", ["moses", "bitext"])
@pytest.mark.parametrize(
    ("english", "german"),
    [
        (b"Yes.\nNo.", b"Ja.\r\nNein.\r\n"),
        (b"Yes.\nNo.\n", "\ufeffJa.\nNein.\u2028\n".encode()),
        (b"Yes.\nNo.\n", b"Ja.\nNe\rin.\n"),
        (b"Yes.\nNo.\n", b"Ja.\n\x0c\n"),
    ],
)
def test_how_a_line_ends_makes_no_other_count(
    tmp_path: Path, form: Format, english: bytes, german: bytes
) -> None:
    names = write_sides(tmp_path, {"a.en": english, "a.de": german}, "plain")
    assert [type(each) for each in read_sides(tmp_path, form, names)] == [Example, Example]


@pytest.mark.parametrize("form", ["moses", "bitext"])
def test_empty_lines_at_the_end_of_one_side_are_faults(tmp_path: Path, form: Format) -> None:
    names = write_sides(tmp_path, {"a.en": b"Yes.\nNo.\n\n \n", "a.de": b"Ja.\nNein.\n"}, "plain")
    one, two, *faults = read_sides(tmp_path, form, names)
    assert isinstance(one, Example) and isinstance(two, Example)
    assert [fault.origin for fault in faults] == ["a.en:3", "a.en:4"]


@pytest.mark.parametrize("form", ["moses", "bitext"])
@pytest.mark.parametrize("german", [b"Ja.\n\n", b"Ja.\n"])
def test_a_missing_line_is_not_made_up_for_by_an_empty_end(
    tmp_path: Path, form: Format, german: bytes
) -> None:
    names = write_sides(tmp_path, {"a.en": b"Yes.\nNo.\n\n", "a.de": german}, "plain")
    with pytest.raises(MisalignedError):
        list(read_sides(tmp_path, form, names))


@pytest.mark.parametrize("form", ["moses", "bitext"])
def test_a_side_that_is_cut_stops_it(tmp_path: Path, form: Format) -> None:
    names = write_sides(tmp_path, {"a.en": b"Yes.\n" * 99, "a.de": b"Ja.\n" * 99}, "gz")
    path = tmp_path / "a.de.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(MisalignedError, match=r"a\.de\.gz: cannot be read"):
        list(read_sides(tmp_path, form, names))


def write_sides(folder: Path, sides: dict[str, bytes], packing: str) -> list[str]:
    """Returns the paths of both, source first."""
    if packing == "zip":
        with zipfile.ZipFile(folder / "a.zip", "w") as archive:
            for name, content in sides.items():
                archive.writestr(name, content)
        return [f"a.zip/{name}" for name in sides]
    is_packed = packing == "gz"
    for name, content in sides.items():
        path = folder / f"{name}{'.gz' if is_packed else ''}"
        path.write_bytes(gzip.compress(content) if is_packed else content)
    return [f"{name}{'.gz' if is_packed else ''}" for name in sides]


def read_sides(folder: Path, form: Format, names: list[str]) -> Records:
    one, other = names
    if form == "moses":
        return read_source(SOURCE, folder, [folder / one], [])
    source = SourceConfig(format="bitext", path=one, target_path=other)
    return read_source(source, folder, [folder / one], [folder / other])


def test_a_broken_member_of_an_archive_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.tsv", "b.tsv", "c.tsv"):
            archive.writestr(name, f"{name}\tx\n")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"b.tsv\tx", b"b.tsv\ty"))  # its checksum differs
    source = SourceConfig(format="pairs", path="a.zip")
    origins = [each.origin for each in read_source(source, tmp_path, [path], [])]
    assert origins[0] == "a.zip/a.tsv:1"
    assert "a.zip/b.tsv" in origins
    assert origins[-1] == "a.zip/c.tsv:1"
