"""What readers yield and all later steps share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """One thing to learn: a target and what it answers or translates.

    Attributes:
        source: one text to translate, or the turns of a dialogue so far, oldest first.
        target: the reply or translation.
        group: what must not be torn apart by a split: a conversation, a film, a source sentence.
        origin: `file:line` (or `file:line-line`), for reports.
    """

    source: tuple[str, ...]
    target: str
    group: str
    origin: str


@dataclass(frozen=True)
class Fault:
    """A record that could not be read: counted, shown, skipped.

    Attributes:
        origin: `file:line`.
        reason: what was expected.
    """

    origin: str
    reason: str


#: What every reader yields.
Records = Iterator[Example | Fault]
