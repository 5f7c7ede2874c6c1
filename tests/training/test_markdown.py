from __future__ import annotations

from training.markdown import markdown_table


def test_a_cell_is_one_line_without_borders() -> None:
    table = markdown_table(("a", "b"), [("x|y", 1), ("back\\|slash", "two\n\tlines")])
    assert table.splitlines() == [
        "| a | b |",
        "| --- | --- |",
        "| x\\|y | 1 |",
        "| back\\\\\\|slash | two lines |",
    ]


def test_texts_are_shown_as_they_are() -> None:
    [*_, row] = markdown_table(("a", "b"), [("<fr> Hello", "`x` &amp;")]).splitlines()
    assert row == "| \\<fr> Hello | \\`x\\` \\&amp; |"
