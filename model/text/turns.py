"""Which part of a dialogue a model reads."""

from __future__ import annotations

from collections.abc import Sequence


def recent_turns(turns: Sequence[str], limit: int) -> tuple[str, ...]:
    """The last `limit` turns that hold any text, oldest first. `limit` >= 1."""
    spoken = [turn for turn in turns if turn.strip()]
    return tuple(spoken[-limit:])
