"""Exchanges of a conversation, and readers of the two plainest dialogue formats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from training.files.line_ranges import WHOLE, LineRange
from training.files.paths import read_lines
from training.files.records import Example, Fault, Records

#: The most turns of context of a reply.
MAX_CONTEXT_TURNS = 16
#: Conversations of plain lines are cut here, so that a split can divide a file of one long talk.
MAX_CONVERSATION_TURNS = 100

PlacedText = tuple[int, str]  # its place (a line, or a position in its conversation), text


def exchanges_of(turns: Iterable[PlacedText], *, group: str, origin: str) -> Iterator[Example]:
    """Yields an example for each turn but the first: the turns before it, and itself.

    Args:
        turns: in order.
        group: of all examples.
        origin: the file that the turns' places refer to.
    """
    context: list[str] = []
    for place, text in turns:
        if context:
            yield Example(tuple(context), text, group, f"{origin}:{place}")
        context = [*context[-MAX_CONTEXT_TURNS + 1 :], text]


def read_exchanges(path: Path, lines: LineRange = WHOLE) -> Records:
    """Reads `turn TAB ... TAB reply`, one exchange per line: the last column answers the others.
    Spreadsheets fill shorter lines up with empty columns, which do not count."""
    for number, line in read_lines(path, lines):
        cells = line.split("\t")
        while len(cells) > 2 and not cells[-1].strip():
            cells.pop()
        *context, reply = cells
        if context:
            yield Example(tuple(context), reply, context[0], f"{path}:{number}")
        elif line.strip():
            yield Fault(f"{path}:{number}", "expected message TAB reply")


def read_turn_lines(path: Path) -> Records:
    """Reads one turn per line; an empty line ends a conversation."""
    turns: list[PlacedText] = []
    lines = longest = 0
    for number, line in chain(read_lines(path), [(0, "")]):
        if line.strip():
            turns.append((number, line))
            lines += 1
        longest = max(longest, len(turns))
        if not line.strip() or len(turns) == MAX_CONVERSATION_TURNS:
            yield from _exchanges_of_lines(turns, path)
            turns = []
    if longest == 1 and lines > 1:
        yield Fault(
            str(path),
            "no line follows another without an empty line, which ends a "
            "conversation. If lines answer each other, remove the empty ones: sed '/^$/d'",
        )


def _exchanges_of_lines(turns: list[PlacedText], path: Path) -> Iterator[Example]:
    start = turns[0][0] if turns else 0
    return exchanges_of(turns, group=f"{path}:{start}", origin=str(path))
