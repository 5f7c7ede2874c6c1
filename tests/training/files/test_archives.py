from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from training.errors import CorpusError
from training.files.archives import names_in, plain_name, stat_of
from training.files.paths import TOO_LONG, find_files, read_bytes, read_lines

TEXT = "one\ntw\u00f6\n"
CONTENT = TEXT.encode()
PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


def archive(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path


@pytest.mark.parametrize("suffix", PACK)
def test_a_packed_file_is_read_as_what_it_holds(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(PACK[suffix](CONTENT))
    assert read_bytes(path) == CONTENT
    assert list(read_lines(path)) == [(1, "one"), (2, "tw\u00f6")]
    assert plain_name(path) == "a.txt"


def test_the_only_file_of_an_archive_needs_no_name(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", **{"deep/b.txt": TEXT})
    assert read_bytes(path) == CONTENT


def test_a_file_in_an_archive_has_a_path(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", **{"b.txt": TEXT, "c.txt": "", "deep/d.txt": "x"})
    assert sorted(names_in(path)) == ["b.txt", "c.txt", "deep/d.txt"]
    assert list(read_lines(path / "b.txt")) == [(1, "one"), (2, "tw\u00f6")]
    assert find_files("a.zip/deep/d.txt", [tmp_path]) == (tmp_path, [path / "deep" / "d.txt"])
    assert stat_of(path / "b.txt") == path.stat()
    with pytest.raises(CorpusError, match=r"a\.zip: holds no file z\.txt\. Name one of it"):
        read_bytes(path / "z.txt")
    with pytest.raises(CorpusError, match="holds 3 files, not one"):
        read_bytes(path)
    with pytest.raises(CorpusError, match="no such file"):
        find_files("a.zip/z.txt", [tmp_path])


def test_files_that_would_lie_elsewhere_are_not_in_it(tmp_path: Path) -> None:
    names = {
        "/etc/passwd": "x",
        "../up.txt": "x",
        ".hidden": "x",
        "__MACOSX/a.txt": "x",
        "a.txt": "y",
    }
    path = archive(tmp_path / "a.zip", **names)
    assert list(names_in(path)) == ["a.txt"]


@pytest.mark.parametrize("suffix", [*PACK, ".zip"])
@pytest.mark.parametrize("how", ["not packed", "cut", "altered", "empty"])
def test_a_file_that_is_not_what_it_says_is_named(tmp_path: Path, suffix: str, how: str) -> None:
    path = tmp_path / f"a.txt{suffix}"
    content = bytes(range(256)) * 300
    if suffix == ".zip":
        archive(path, **{"a.txt": content.decode("latin-1")})
    else:
        path.write_bytes(PACK[suffix](content))
    packed = path.read_bytes()
    middle = len(packed) // 2
    path.write_bytes(
        {
            "not packed": content,
            "cut": packed[: middle + middle // 2],
            "altered": packed[:middle] + bytes(9) + packed[middle + 9 :],
            "empty": b"",
        }[how]
    )
    if how == "empty" and suffix in (".gz", ".zst"):
        assert read_bytes(path) == b""  # no stream at all is an empty one to them
        return
    if how == "altered" and suffix == ".zst":
        return  # Arrow writes no checksum, so that nobody can tell
    with pytest.raises(CorpusError, match=r"a\.txt"):
        read_bytes(path)
    with pytest.raises(CorpusError, match=r"a\.txt"):
        list(read_lines(path))


def test_an_encrypted_archive_is_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", **{"a.txt": TEXT})
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1  # the flag that a password is needed
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="password"):
        read_bytes(path)


def test_a_file_packed_with_a_window_of_two_gigabytes_is_told_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "RC_2015-01.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00")  # zstd --long=31, and no content
    with pytest.raises(CorpusError, match=r"Unpack it: zstd -d --long=31"):
        read_bytes(path)


def test_a_text_of_utf16_is_read_by_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-16")
    assert list(read_lines(path)) == [(1, "one"), (2, "tw\u00f6")]


def test_a_line_without_end_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.files.paths.LONGEST_LINE", 100)
    monkeypatch.setattr("training.files.paths.LARGEST_BYTES", 200)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"x\n" + b"y" * 99 + b"\n" + bytes(1000) + b"\nz"))
    assert list(read_lines(path)) == [(1, "x"), (2, "y" * 99), (3, TOO_LONG), (4, "z")]
    with pytest.raises(CorpusError, match=r"a\.gz: has more than"):
        read_bytes(path)


def test_an_archive_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", **{"a.txt": "old"})
    assert list(read_lines(path / "a.txt")) == [(1, "old")]
    archive(tmp_path / "a.zip", **{"a.txt": "new", "b.txt": "also"})
    assert list(read_lines(path / "a.txt")) == [(1, "new")]
    assert sorted(names_in(path)) == ["a.txt", "b.txt"]


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.7z", "a.RAR"])
def test_other_archives_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(CorpusError, match=r"is a (tar|tgz|7z|rar) archive"):
        list(read_lines(tmp_path / name))


def test_archives_in_archives_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(archive(tmp_path / "inner.zip", **{"b.txt": TEXT}), "inner.zip")
    with pytest.raises(CorpusError, match=r"inner\.zip: is an archive in an archive"):
        read_bytes(tmp_path / "outer.zip" / "inner.zip")
