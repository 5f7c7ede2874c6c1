"""Reader of Telegram Desktop's export: `result.json`, of one chat or of all of them (`chats.list`).

https://core.telegram.org/import-export
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.files.records import Records
from training.readers.chats import (
    MENTION_END,
    MENTION_START,
    ChatOptions,
    Message,
    read_chats,
    seconds_of_date,
)

_MENTIONS = ("mention", "mention_name")


def read_telegram(path: Path, options: ChatOptions) -> Records:
    """Reads the exchanges of all chats in an export. Service messages, forwarded messages, messages
    via bots, and media without text are left out.

    Raises:
        CorpusError: if it has no messages.
    """
    return read_chats(path, _message_of, "Telegram", options)


def _message_of(record: dict[str, Any], line: int) -> Message | None:
    """Returns the message of a record, or None to leave it out. Raises ValueError if malformed."""
    kind = record.get("type")
    if kind != "message":
        if isinstance(kind, str):
            return None
        raise ValueError("has no type")
    if "forwarded_from" in record or "via_bot" in record:
        return None
    text = _text_of(record.get("text", record.get("text_entities", "")))
    if not text.strip():
        return None
    name = record.get("from") or ""  # an account that was deleted has no name
    sender = record.get("from_id") or name
    if not sender or not isinstance(name, str):
        raise ValueError("has no sender (`from`, `from_id`)")
    return Message(str(sender), name, _seconds_of(record), text, line)


def _seconds_of(record: dict[str, Any]) -> float:
    if "date_unixtime" in record:
        return float(str(record["date_unixtime"]))
    return seconds_of_date(str(record.get("date")))


def _text_of(text: Any) -> str:
    """Returns the text of a string, or of a list of strings and entities such as links."""
    if isinstance(text, str):
        return text
    if not isinstance(text, list):
        raise ValueError("its text is not a string")
    return "".join(map(_part_of, text))


def _part_of(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict) or not isinstance(part.get("text"), str):
        raise ValueError("its text is not a list of strings")
    text = part["text"]
    return f"@{MENTION_START}{text}{MENTION_END}" if part.get("type") in _MENTIONS else text
