"""Dialogue formats: each turn that follows another is a reply to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from training.corpus.files import read_bytes, read_lines
from training.corpus.records import Example, Fault
from training.errors import CorpusError

#: No reply is given more turns of context than this.
LONGEST_CONTEXT = 16
LONGEST_GROUP = 100

Records = Iterator[Example | Fault]
Turn = tuple[int, str]  # where it stands (a line, or a place in its conversation), text


def exchanges_of(turns: Iterable[Turn], *, group: str, origin: str) -> Iterator[Example]:
    """One example for each turn but the first: the turns before it, and it. `origin` is what the
    turns' places belong to."""
    context: list[str] = []
    for place, text in turns:
        if context:
            yield Example(tuple(context), text, group, f"{origin}:{place}")
        context = [*context[-LONGEST_CONTEXT + 1 :], text]


def read_exchanges(path: Path) -> Records:
    """`message TAB reply`, one exchange a line; further columns are left alone."""
    for number, line in read_lines(path):
        message, tab, rest = line.partition("\t")
        if tab:
            yield Example((message,), rest.split("\t")[0], message, f"{path}:{number}")
        elif line.strip():
            yield Fault(f"{path}:{number}", "expected message TAB reply")


def read_jsonl(path: Path) -> Records:
    """One JSON object a line: `{"turns": [str, ...]}` or `{"messages": [{"content": str}, ...]}`
    with system messages left out."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            turns = _turns_of(json.loads(line))
        except (ValueError, TypeError, KeyError, RecursionError):
            yield Fault(f"{path}:{number}", 'expected {"turns": [text, ...]}')
            continue
        place = f"{path}:{number}"
        yield from exchanges_of(enumerate(turns, start=1), group=place, origin=place)


def _turns_of(record: Any) -> list[str]:
    if "turns" in record:
        turns = list(record["turns"])
    else:
        turns = [each["content"] for each in record["messages"] if each.get("role") != "system"]
    if not all(isinstance(turn, str) for turn in turns):
        raise TypeError("a turn is no text")
    return turns


def read_turn_lines(path: Path) -> Records:
    """One turn a line; an empty line ends a conversation."""
    turns: list[Turn] = []
    for number, line in read_lines(path):
        if line.strip():
            turns.append((number, line))
        else:
            yield from _numbered_exchanges(turns, path)
            turns = []
    yield from _numbered_exchanges(turns, path)


def _numbered_exchanges(turns: list[Turn], path: Path) -> Iterator[Example]:
    """A conversation longer than `LONGEST_GROUP` turns is cut there, so that splits can part it."""
    for start in range(0, len(turns), LONGEST_GROUP):
        part = turns[start : start + LONGEST_GROUP]
        yield from exchanges_of(part, group=f"{path}:{part[0][0]}", origin=str(path))


def read_yaml(path: Path) -> Records:
    """`conversations: [[turn, ...], ...]`, as the ChatterBot corpus has it."""
    try:
        document = yaml.load(read_bytes(path), Loader=yaml.BaseLoader)  # noqa: S506 (texts only)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        yield Fault(str(path), f"not YAML: {' '.join(str(error).split())[:200]}")
        return
    conversations = document.get("conversations") if isinstance(document, dict) else None
    if not isinstance(conversations, list):
        yield Fault(str(path), "expected a list `conversations`")
        return
    for number, turns in enumerate(conversations, start=1):
        if isinstance(turns, list) and all(isinstance(turn, str) for turn in turns):
            # All that is said to one opening message stays together in a split.
            opening = turns[0] if turns else ""
            numbered = enumerate(turns, start=1)
            yield from exchanges_of(numbered, group=opening, origin=f"{path}:{number}")
        else:
            yield Fault(f"{path}:{number}", "expected a list of texts")


def read_cornell(path: Path) -> Records:
    """`movie_conversations.txt`, with `movie_lines.txt` beside it, of the Cornell corpus.

    Raises:
        CorpusError: if the lines are not there.
    """
    lines_file = path.with_name(path.name.replace("conversations", "lines"))
    if lines_file == path or not lines_file.exists():
        raise CorpusError(f"{path}: expected movie_conversations.txt beside movie_lines.txt")
    texts = dict(_cornell_columns(lines_file, first=0, last=4))
    films = dict(_cornell_columns(lines_file, first=0, last=2))
    for number, (_, listed) in enumerate(_cornell_columns(path, first=0, last=3), start=1):
        names = [name.strip(" '\"") for name in listed.strip("[] ").split(",")]
        if not all(name in texts for name in names):
            yield Fault(f"{path}:{number}", "names a line that is not in movie_lines.txt")
            continue
        turns = enumerate((texts[name] for name in names), start=1)
        yield from exchanges_of(turns, group=films[names[0]], origin=f"{path}:{number}")


def _cornell_columns(path: Path, *, first: int, last: int) -> Iterator[tuple[str, str]]:
    text = read_bytes(path).decode("cp1252", errors="replace")  # as the corpus was published
    for line in text.split("\n"):
        columns = line.rstrip("\r").split(" +++$+++ ")
        if len(columns) > last:
            yield columns[first], columns[last]
