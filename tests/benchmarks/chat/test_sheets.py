"""Sheets hide who answered, and their scores find it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.chat.sheets import JUDGE, KEY, PREFER, Answer, score_sheets, write_sheets

ANSWERS = [
    *(Answer("new", "message", "food", (f"m{n}",), f"good {n}") for n in range(8)),
    *(Answer("old", "message", "food", (f"m{n}",), f"bad {n}") for n in range(8)),
    Answer("new", "conversation", "conversation 1", ("a", "good b", "c"), "good d"),
]


def fill(path: Path, header: str, mark_of: dict[str, str]) -> None:
    """Fills in each row of a sheet, by what its first reply begins with."""
    head, *lines = path.read_text("utf-8").splitlines()
    assert head.split("\t", 2)[2] == header
    rows = [line.rstrip("\t").split("\t") for line in lines]
    filled = ["\t".join([*row, mark_of[row[2].split()[0]]]) for row in rows]
    path.write_text("\n".join([head, *filled]) + "\n", "utf-8")


def test_judged_sheets_give_shares_of_each_system(tmp_path: Path) -> None:
    write_sheets(tmp_path, ANSWERS, seed=1)
    assert "new" not in (tmp_path / JUDGE).read_text("utf-8")
    fill(tmp_path / JUDGE, "reply\tfitting\tgrammatical", {"good": "1\t1", "bad": "0\t1"})
    lines = score_sheets(tmp_path / KEY, [tmp_path / JUDGE, tmp_path / JUDGE]).splitlines()
    assert "| 1 | new | conversations | 1 | 100.0% | 100.0% |" in lines
    assert "| 2 | old | messages | 8 | 0.0% | 100.0% |" in lines
    assert "fitting: judges 1 and 2 agree in 100.0%, kappa 1.00" in lines


def test_preferences_go_to_the_system_behind_the_letter(tmp_path: Path) -> None:
    write_sheets(tmp_path, ANSWERS, seed=1)
    fill(tmp_path / PREFER, "A\tB\tpreferred", {"good": "A", "bad": "B"})
    table = score_sheets(tmp_path / KEY, [tmp_path / PREFER])
    assert "| 1 | new | 8 | old | 0 | 0 |" in table.splitlines()
    letters = [line[-1] for line in (tmp_path / PREFER).read_text("utf-8").splitlines()[1:]]
    assert set(letters) == {"A", "B"}


def test_equal_replies_need_no_judge(tmp_path: Path) -> None:
    answers = [Answer(name, "message", "food", ("m",), "same") for name in ("new", "old")]
    write_sheets(tmp_path, answers, seed=1)
    table = score_sheets(tmp_path / KEY, [tmp_path / PREFER])
    assert "| 1 | new | 0 | old | 0 | 1 |" in table.splitlines()


def test_missing_mark_is_named(tmp_path: Path) -> None:
    write_sheets(tmp_path, ANSWERS, seed=1)
    with pytest.raises(SystemExit, match=r"judge\.tsv, number 1: fitting is ''"):
        score_sheets(tmp_path / KEY, [tmp_path / JUDGE])
