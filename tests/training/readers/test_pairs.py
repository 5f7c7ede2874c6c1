from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from training.errors import CorpusError
from training.files.records import Example, Fault
from training.readers.pairs import read_bitext, read_pairs, read_scan


def test_a_bitext_pairs_line_with_line(tmp_path: Path) -> None:
    source, target = tmp_path / "train.en.gz", tmp_path / "train.de"
    source.write_bytes(gzip.compress(b"A dog.\nTwo\xe2\x80\xa8cats.\n"))
    target.write_text("Ein Hund.\r\nZwei Katzen.", encoding="utf-8")
    assert list(read_bitext(source, target)) == [
        Example(("A dog.",), "Ein Hund.", "A dog.", f"{source}:1"),
        Example(("Two\u2028cats.",), "Zwei Katzen.", "Two\u2028cats.", f"{source}:2"),
    ]


@pytest.mark.parametrize(("source_lines", "target_lines"), [(2, 5), (5, 2)])
def test_unequal_sides_are_refused_with_both_counts(
    tmp_path: Path, source_lines: int, target_lines: int
) -> None:
    source, target = tmp_path / "a.en", tmp_path / "a.de"
    source.write_text("a\n" * source_lines)
    target.write_text("b\n" * target_lines)
    with pytest.raises(CorpusError, match=f"{source_lines} lines.* has {target_lines}\\."):
        list(read_bitext(source, target))


def test_further_columns_of_a_pair_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "deu.tsv"
    path.write_text("Hi.\tHallo!\tCC-BY\nno tab\n\nRun!\tLauf!\n")
    assert list(read_pairs(path)) == [
        Example(("Hi.",), "Hallo!", "Hi.", f"{path}:1"),
        Fault(f"{path}:2", "expected source TAB target"),
        Example(("Run!",), "Lauf!", "Run!", f"{path}:4"),
    ]


def test_commands_and_actions_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "scan.txt"
    path.write_text("IN: jump twice OUT: I_JUMP I_JUMP\nOUT: I_WALK\n")
    assert list(read_scan(path)) == [
        Example(("jump twice",), "I_JUMP I_JUMP", "jump twice", f"{path}:1"),
        Fault(f"{path}:2", "expected `IN: ... OUT: ...`"),
    ]


def test_marks_of_anki_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "deck.txt"
    path.write_text("#separator:tab\nYes. [sound:1.mp3]\tJa, {{c1::mein::my}} {{c2::Herr}}.\n")
    assert [*read_pairs(path)] == [Example(("Yes.",), "Ja, mein Herr.", "Yes.", f"{path}:2")]


def test_columns_of_anki_that_hold_no_texts_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "deck.txt"
    header = "#separator:tab\n#html:false\n#guid column:1\n#notetype column:2\n#tags column:5\n"
    path.write_text(f"{header}x7\tBasic\tYes.\tJa.\tverbs\n")
    assert list(read_pairs(path)) == [Example(("Yes.",), "Ja.", "Yes.", f"{path}:6")]
