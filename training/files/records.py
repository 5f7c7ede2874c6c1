"""Records: the values that readers yield and all later steps share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from training.errors import CorpusError


@dataclass(frozen=True)
class Example:
    """One example: a target and the source that it answers or translates.

    Attributes:
        source: one text to translate, or the turns of a dialogue so far, oldest first.
        target: the reply or translation.
        group: a conversation, a film or a source sentence, which stays in one part.
        origin: `file:line` (or `file:line-line`), for reports.
    """

    source: tuple[str, ...]
    target: str
    group: str
    origin: str


@dataclass(frozen=True)
class Cue:
    """A text that a subtitle file shows for a time.

    Attributes:
        start_ms, end_ms: from the beginning of the film, in milliseconds; start <= end.
        text: without markup, with the line breaks of the file.
        line: line of its time in the file, from 1.
        speaker: name of the speaker, if the format has one (a voice of WebVTT, a name of
            SubStation).
        colour: of its letters, in a file whose colours distinguish speakers; "" is the default.
    """

    start_ms: int
    end_ms: int
    text: str
    line: int
    speaker: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Fault:
    """A record that could not be read: counted, shown, skipped.

    Attributes:
        origin: `file:line`, or a file that cannot be read at all.
        reason: the cause, or what was expected.
    """

    origin: str
    reason: str


#: Output of every reader.
Records = Iterator[Example | Fault]


def fault_of(error: CorpusError, *paths: str | Path) -> Fault:
    """Builds the fault of the path that the message begins with, else of the first."""
    for path in map(str, paths):
        if str(error).startswith(f"{path}: "):
            return Fault(path, str(error).removeprefix(f"{path}: "))
    return Fault(str(paths[0]), str(error))
