"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lines of a table; whatever stands in a cell stays in it.

    Args:
        header: a name for each column, which may be empty.
        rows: as many cells each.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    """One line, in which a bar is no border. A backslash before the bar would undo that."""
    text = " ".join(str(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|")
