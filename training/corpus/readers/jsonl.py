"""Conversations as JSON, one a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.corpus.files import read_lines
from training.corpus.readers.dialogue import exchanges_of
from training.corpus.records import Fault, Records


def read_jsonl(path: Path) -> Records:
    """`{"turns": [text, ...]}` or `{"messages": [{"role": ..., "content": text}, ...]}`, one
    conversation a line; system messages and other keys are left alone."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        turns = _turns_of(line)
        if turns is None:
            yield Fault(place, 'expected {"turns": [text, ...]} or {"messages": [...]}')
        else:
            yield from exchanges_of(enumerate(turns, start=1), group=place, origin=place)


def _turns_of(line: str) -> list[str] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    turns = _listed_turns(record) if isinstance(record, dict) else None
    return turns if turns and all(isinstance(turn, str) for turn in turns) else None


def _listed_turns(record: dict[str, Any]) -> list[Any] | None:
    if isinstance(record.get("turns"), list):
        return list(record["turns"])
    messages = record.get("messages")
    if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
        return [each.get("content") for each in messages if each.get("role") != "system"]
    return None
