from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.errors import CorpusError
from training.files import line_ranges as module
from training.files.line_ranges import LineRange, has_line_ranges, line_ranges
from training.files.paths import read_lines


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 5)


@given(
    content=st.lists(st.sampled_from(["", "a", "bc\r", "\ufeffx", "höher"])).map("\n".join),
    ends=st.sampled_from(["", "\n"]),
    lines=st.integers(1, 4),
)
def test_ranges_have_the_lines_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: str, ends: str, lines: int
) -> None:
    path = tmp_path_factory.mktemp("ranges") / "a.txt"
    path.write_bytes((content + ends).encode())
    ranges = [found for [found] in line_ranges([path], lines)]
    read = [list(read_lines(path, each)) for each in ranges]
    assert [line for some in read for line in some] == list(read_lines(path))
    assert all(len(some) == lines for some in read[:-1])
    assert ranges[-1].end is None


def test_line_aligned_files_have_ranges_of_the_same_numbers(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n3\n4\n5\n")
    (tmp_path / "b").write_text("one\ntwo\nthree\nfour\nfive\n")
    assert list(line_ranges([tmp_path / "a", tmp_path / "b"], 2)) == [
        (LineRange(0, 1, 3), LineRange(0, 1, 3)),
        (LineRange(4, 3, 5), LineRange(8, 3, 5)),
        (LineRange(8, 5, None), LineRange(19, 5, None)),
    ]


def test_the_last_ranges_have_what_one_file_has_too_much(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n3\n")
    (tmp_path / "b").write_text("one\ntwo\nthree\nfour\nfive\n")
    *_, last = line_ranges([tmp_path / "a", tmp_path / "b"], 2)
    read = [
        len(list(read_lines(tmp_path / name, part))) for name, part in zip("ab", last, strict=True)
    ]
    assert read == [1, 3]


def test_packed_files_and_wide_encodings_have_no_ranges(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\ufeffa\n", encoding="utf-8")
    (tmp_path / "wide.txt").write_text("a\n", encoding="utf-16")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a\n"))
    (tmp_path / "a.tar").write_bytes(b"a\n")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.txt", "a\n")
    others = ("wide.txt", "a.txt.gz", "a.tar", "a.zip", "a.zip/b.txt", "missing.txt")
    assert has_line_ranges(tmp_path / "a.txt")
    assert not any(has_line_ranges(tmp_path / name) for name in others)


def test_an_error_names_the_last_line_that_was_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"No such file or directory\)\.$"):
        list(read_lines(tmp_path / "missing", LineRange(100, 11)))
