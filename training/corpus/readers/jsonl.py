"""Conversations as JSON, one a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from training.corpus.files import read_lines
from training.corpus.readers.dialogue import exchanges_of
from training.corpus.records import Fault, Records

#: Instructions and the answers of tools are no turns.
NO_SPEAKERS = ("system", "developer", "tool", "function")


def read_jsonl(path: Path) -> Records:
    """`{"turns": [text, ...]}` or `{"messages": [{"role": ..., "content": text}, ...]}`, one
    conversation a line, as OpenAI's API has them; messages of `NO_SPEAKERS` and other keys are
    left alone."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            turns = _turns_of(json.loads(line))
        except (ValueError, RecursionError) as error:
            yield Fault(place, f"no conversation: {error}")
        else:
            yield from exchanges_of(enumerate(turns, start=1), group=place, origin=place)


def _turns_of(record: Any) -> list[str]:
    """Raises ValueError if it is no conversation."""
    if isinstance(record, dict) and isinstance(record.get("turns"), list):
        turns = record["turns"]
    elif isinstance(record, dict) and isinstance(record.get("messages"), list):
        turns = [content for each in record["messages"] if (content := _content_of(each)) != ""]
    else:
        raise ValueError('expected {"turns": [text, ...]} or {"messages": [...]}')
    if not turns or not all(isinstance(turn, str) for turn in turns):
        raise ValueError("expected a list of texts")
    return list(turns)


def _content_of(message: Any) -> Any:
    """A message's text; empty if it is none of the conversation."""
    if not isinstance(message, dict):
        raise ValueError('expected messages of the form {"role": ..., "content": text}')
    if message.get("role") in NO_SPEAKERS or "tool_calls" in message:
        return ""
    content = message.get("content")
    if isinstance(content, list):  # parts: texts, pictures and the like
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return " ".join(text for text in texts if isinstance(text, str))
    return content
