"""The part of a dialogue that a model reads."""

from __future__ import annotations

from collections.abc import Sequence


def recent_turns(turns: Sequence[str], limit: int) -> tuple[str, ...]:
    """Returns the last `limit` turns that have any text, oldest first. `limit` >= 1."""
    spoken = [turn for turn in turns if turn.strip()]
    return tuple(spoken[-limit:])
