from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pyarrow as pa
import pytest

from training.errors import CorpusError
from training.files.archives import size_of
from training.files.paths import find_files, read_bytes, read_lines, writing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.txt", "deep/c.txt", ".hidden.txt", ".git/d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("b.txt", ["b.txt"]),
        ("*.txt", ["a.txt", "b.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "deep/c.txt"]),
        (".", ["a.txt", "b.txt", "deep/c.txt"]),
        ("deep", ["deep/c.txt"]),
    ],
)
def test_a_path_is_a_file_a_folder_or_a_glob(folder: Path, path: str, names: list[str]) -> None:
    root, files = find_files(path, [folder])
    assert root == folder
    assert files == [folder / name for name in names]


@pytest.mark.parametrize("path", [".", "**/*.txt", "*"])
@pytest.mark.parametrize("made", ["model.weights.h5", "data/source.spm", "data.partial/work"])
def test_models_and_outputs_of_recipes_are_no_sources(folder: Path, path: str, made: str) -> None:
    run = folder / "deep" / "run"
    (run / made).parent.mkdir(parents=True)
    (run / made).touch()
    (run / "answers.txt").touch()
    _, files = find_files(path, [folder])
    assert files == [folder / name for name in ("a.txt", "b.txt", "deep/c.txt")]
    assert find_files("deep/run/answers.txt", [folder])[1] == [run / "answers.txt"]
    assert run / "answers.txt" in find_files("deep/run", [folder])[1]
    assert find_files("deep/run/*.txt", [folder])[1] == [run / "answers.txt"]
    assert find_files("deep/*", [folder])[1] == [folder / "deep" / "c.txt"]


@pytest.mark.parametrize("path", ["films", "films/**/*.txt"])
def test_linked_folders_are_read_once(folder: Path, path: str) -> None:
    (folder / "films").mkdir()
    for link, target in (("linked", "../deep"), ("same", "../deep"), ("loop", ".")):
        (folder / "films" / link).symlink_to(target)
    (folder / "films" / "d.txt").symlink_to("../a.txt")
    _, files = find_files(path, [folder])
    assert files == [folder / "films" / name for name in ("d.txt", "linked/c.txt")]


def test_a_link_that_cannot_be_followed_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a")
    (tmp_path / "b.tsv").symlink_to("n" * 300)  # as to a folder of another user
    assert find_files(".", [tmp_path])[1] == [tmp_path / "a.tsv"]


def test_an_absolute_path_needs_no_root(folder: Path) -> None:
    _, files = find_files(str(folder / "deep"), [Path("elsewhere")])
    assert files == [folder / "deep" / "c.txt"]


def test_a_name_with_glob_characters_is_found_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "film [1999].srt").write_text("")
    assert find_files("film [1999].srt", [tmp_path])[1] == [tmp_path / "film [1999].srt"]


def test_a_glob_may_be_in_a_folder_with_brackets_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "[Sub] Films [1999]"
    (folder / "one").mkdir(parents=True)
    (folder / "one" / "en.srt").write_text("")
    for path in ("[Sub] Films [1999]/*/en.srt", str(folder / "**" / "en.srt")):
        assert find_files(path, [tmp_path])[1] == [folder / "one" / "en.srt"]


def test_a_path_may_be_a_folder_in_an_archive(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("test/a.txt", "test/deep/b.txt", "tests/c.txt"):
            archive.writestr(name, "one\n")
    names = [tmp_path / "a.zip" / "test" / name for name in ("a.txt", "deep/b.txt")]
    assert find_files("a.zip/test", [tmp_path])[1] == names
    assert size_of(names[0]) == 4
    with pytest.raises(CorpusError, match=r"a\.zip/dev: no such file"):
        find_files("a.zip/dev", [tmp_path])


def test_the_first_root_that_has_it_counts(folder: Path) -> None:
    assert find_files("c.txt", [folder, folder / "deep"])[0] == folder / "deep"
    (folder / "c.txt").write_text("")
    assert find_files("c.txt", [folder, folder / "deep"])[0] == folder


def test_a_path_that_means_nothing_is_named_with_every_place(folder: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        find_files("none/*.txt", [folder, folder / "deep"])
    assert all(each in str(caught.value) for each in ("none/*.txt", str(folder / "deep")))


def test_lines_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffone\u2028still\x0bone\r\ntwo\n\nfour".encode())
    assert list(read_lines(path)) == [
        (1, "one\u2028still\x0bone"),
        (2, "two"),
        (3, ""),
        (4, "four"),
    ]


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert list(read_lines(path)) == [(1, "one"), (2, "two")]
    assert read_bytes(path) == b"one\ntwo\n"


@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(b"cut" * 99, mtime=0)[:-9]], ids=["no gzip", "cut"]
)
def test_a_broken_archive_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"a\.txt\.gz"):
        read_bytes(path)
    with pytest.raises(CorpusError, match=r"a\.txt\.gz"):
        list(read_lines(path))


def test_an_altered_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    content = bytearray(gzip.compress(bytes(range(256)) * 50))
    content[20:60] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"a\.txt\.gz"):
        read_bytes(path)


def test_how_much_of_a_cut_file_was_read_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    lines = "".join(f"line {number}\n" for number in range(5000))
    path.write_bytes(gzip.compress(lines.encode())[:-2000])
    read: list[tuple[int, str]] = []
    with pytest.raises(CorpusError) as caught:
        read.extend(each for each in read_lines(path))
    assert "cannot be read" in str(caught.value)
    assert str(caught.value).endswith("was not read.")


@pytest.mark.parametrize("write", [Path.write_text, Path.touch, Path.mkdir])
def test_what_cannot_be_written_is_named(tmp_path: Path, write: Callable[..., object]) -> None:
    (tmp_path / "file").write_text("")
    arguments = [""] if write is Path.write_text else []
    with pytest.raises(CorpusError, match=r"below: cannot be written: Not a directory"):
        with writing(tmp_path):
            write(tmp_path / "file" / "below", *arguments)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_what_arrow_cannot_write_is_named() -> None:
    batch = pa.record_batch({"a": list(range(100_000))})
    with pytest.raises(CorpusError, match=r"^full: cannot be written: No space left on device"):
        with writing(Path("full")), pa.OSFile("/dev/full", "wb") as sink:
            with pa.ipc.new_file(sink, batch.schema) as writer:
                writer.write_batch(batch)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_lines_of_old_macs_are_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("one\teins\rtwo\tzwei\rthree\tdrei\r".encode(encoding))
    with pytest.raises(CorpusError, match=r"a\.tsv: its lines end in CR alone"):
        list(read_lines(path))


def test_a_folder_without_files_is_not_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / ".hidden.srt").touch()
    with pytest.raises(CorpusError, match="films: a folder without files"):
        find_files("films", [tmp_path])
