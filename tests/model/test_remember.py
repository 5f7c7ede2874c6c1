from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model.errors import ConfigError, FolderError
from model.folder import load_folder, load_memory
from model.remember import remember


@pytest.fixture
def folder(untrained_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untrained_folder, tmp_path / "model"))


def known(folder: Path) -> dict[str, str]:
    memory = load_memory(load_folder(folder))
    return dict(memory.pairs) if memory else {}


def test_pairs_are_added_replaced_and_removed(folder: Path) -> None:
    assert remember(folder, ["Save\tSichern\n", "\n", "Open\tÖffnen"]).endswith(
        "keeps 2 translations (0 before)"
    )
    remember(folder, ["Save\tSpeichern", "Open\t", "Undo\tZurück"])
    assert known(folder) == {"Save": "Speichern", "Undo": "Zurück"}


def test_other_files_and_links_stay(folder: Path, tmp_path: Path) -> None:
    (folder / "LICENSE").write_text("free")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("main")
    (tmp_path / "current").symlink_to("model")
    remember(tmp_path / "current", ["Save\tSpeichern"])
    assert (tmp_path / "current").is_symlink()
    assert (folder / "LICENSE").read_text() == "free"
    assert (folder / ".git" / "HEAD").read_text() == "main"
    assert known(folder) == {"Save": "Speichern"}


def test_of_several_at_a_time_none_is_lost(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda letter: remember(folder, [f"{letter}\t{letter}"]), "abcdefgh"))
    assert set(known(folder)) == {*"abcdefgh"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Save    Speichern", "line 2: has 1 columns"),
        ("Save\tSpeichern\tmenu", "line 2: has 3 columns"),
        ("\tSpeichern", "line 2: '' has no letters"),
        ("24/7\trund um die Uhr", "line 2: '24/7' has no letters"),
        ("Wait. I am coming.\tWarte.", "line 2: has several sentences"),
        ("Save \ufffd\tSpeichern", "line 2: is not UTF-8"),
        (f"{'a' * 1001}\tSpeichern", "line 2: has more than 1,000 characters"),
    ],
)
def test_a_line_that_is_no_pair_is_named_and_nothing_is_written(
    folder: Path, line: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        remember(folder, ["Open\tÖffnen", line])
    assert not known(folder)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="none: no such model folder"):
        remember(tmp_path / "none", ["Save\tSpeichern"])
