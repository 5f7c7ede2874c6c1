"""Exchanges of a conversation, and readers of the plainest dialogue formats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

from training.files.line_ranges import WHOLE, LineRange
from training.files.paths import read_lines
from training.files.records import Example, Fault, Records

#: The most turns of context of a reply.
MAX_CONTEXT_TURNS = 16
#: Conversations of plain lines are cut here, so that a split can divide a file of one long talk.
MAX_CONVERSATION_TURNS = 100

#: End of a turn in the DailyDialog corpus, which has a conversation in each line.
TURN_END = "__eou__"
#: A speaker at the start of a line: `Anna:`, `Speaker 1:`, `<anna>`.
_SPEAKER = re.compile(r"\s*(?:<([^<>]{1,30})>|([^\W\d][\w .'-]{0,29}?)\s?[:\uff1a](?!//))\s*")

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
    """Reads one turn per line; an empty line ends a conversation, which `TURN_END` may also have on
    one line."""
    return _read_conversations(path, lambda lines: lines)


def read_transcript(path: Path) -> Records:
    """Reads `Name: text` in each line, without the names that `speakers_of` returns. An empty line
    ends a conversation. Neighbouring lines of one speaker are one turn, and so are lines without a
    name with those before them."""
    speakers = speakers_of(line for _, line in read_lines(path))
    return _read_conversations(path, partial(_turns_of_speakers, speakers=speakers))


def speakers_of(lines: Iterable[str]) -> dict[str, int]:
    """Returns the names at the start of at least two lines or, if each line has one, of any, with
    the number of their lines."""
    counts = Counter(name for name, _ in map(_split_speaker, filter(str.strip, lines)))
    least = 2 if counts.pop("", 0) else 1
    return {name: count for name, count in counts.items() if count >= least}


def _split_speaker(line: str) -> tuple[str, str]:
    """Returns what may be the speaker at the start of a line, and the rest of it."""
    match = _SPEAKER.match(line)
    return ((match[1] or match[2]).strip(), line[match.end() :].strip()) if match else ("", line)


def _turns_of_speakers(lines: list[PlacedText], speakers: Container[str]) -> list[PlacedText]:
    """Joins the lines of each turn, without the name of its speaker."""
    turns, last = list[PlacedText](), ""
    for number, line in lines:
        name, text = _split_speaker(line)
        if name not in speakers:
            name, text = last, line.strip()
        if turns and name == last:
            place, before = turns[-1]
            turns[-1] = place, f"{before} {text}".strip()
        else:
            turns.append((number, text))
        last = name
    return [turn for turn in turns if turn[1]]


def _read_conversations(
    path: Path, turns_of: Callable[[list[PlacedText]], list[PlacedText]]
) -> Records:
    """Reads conversations, which an empty line ends; `turns_of` returns the turns in the lines of
    one."""
    lines: list[PlacedText] = []
    count = longest = 0
    for number, line in chain(_turn_lines(path), [(0, "")]):
        if line.strip():
            lines.append((number, line))
            count += 1
        longest = max(longest, len(lines))
        if not line.strip() or len(lines) == MAX_CONVERSATION_TURNS:
            yield from _exchanges_of_lines(turns_of(lines), path)
            lines = []
    if longest == 1 and count > 1:
        yield Fault(
            str(path),
            "no line follows another without an empty line, which ends a "
            "conversation. If lines answer each other, remove the empty ones: sed '/^$/d'",
        )


def _turn_lines(path: Path) -> Iterator[PlacedText]:
    """Yields the lines of a file; a line of several turns, as lines that an empty one follows."""
    for number, line in read_lines(path):
        turns = line.split(TURN_END)
        yield from ((number, turn) for turn in turns if turn.strip() or len(turns) == 1)
        if len(turns) > 1:
            yield number, ""


def _exchanges_of_lines(turns: list[PlacedText], path: Path) -> Iterator[Example]:
    start = turns[0][0] if turns else 0
    return exchanges_of(turns, group=f"{path}:{start}", origin=str(path))
