"""Tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Formats a table; the contents of a cell cannot leave it.

    Args:
        header: a name for each column, which may be empty.
        rows: cells, as many as columns.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: object) -> str:
    """Escapes a value: one line, without bars or markup of code and HTML."""
    return re.sub(r"([\\|<`&])", r"\\\1", " ".join(str(value).split()))
