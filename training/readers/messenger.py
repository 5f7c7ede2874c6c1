"""Reader of a chat in an export of Messenger or Instagram: `message_1.json`, newest first.

https://www.facebook.com/help/212802592074644
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from training.files.records import Records
from training.readers.chats import ChatOptions, Message, read_chats

#: Names of fields in the exports of accounts, and in those of encrypted chats.
_SENDER, _TEXT = ("sender_name", "senderName"), ("content", "text")
_MILLISECONDS = ("timestamp_ms", "timestamp")
#: Types of messages that people write; others are calls, and members who come and go.
_WRITTEN = frozenset({"Generic", "Share", "text", "link"})
#: What the apps write in place of a message, in English.
_NOTICE = re.compile(
    r"Reacted \S+ to (your|a) message ?|Liked a message"
    r"|.{1,80} (sent|shared) an? (attachment|photo|video|sticker|GIF|link|post|reel|story)\.?"
    r"|.{1,80} (missed|started) an? (video |audio )?(call|chat)( from .{1,80})?\.?"
    r"|.{1,80} (set the nickname|named the group|changed the (group|chat)|unsent a message)\b.*"
)


def read_messenger(path: Path, options: ChatOptions) -> Records:
    """Reads the exchanges of a chat. Calls, notices, messages that were unsent and media without
    text are left out.

    Raises:
        CorpusError: if it has no messages.
    """
    return read_chats(path, _message_of, "Messenger", options, newest_first=True)


def _message_of(record: dict[str, Any], line: int) -> Message | None:
    """Returns the message of a record, or None to leave it out. Raises ValueError if malformed."""
    name, milliseconds = _value(record, _SENDER), _value(record, _MILLISECONDS)
    if not isinstance(name, str):
        raise ValueError("has no sender (`sender_name`)")
    if not isinstance(milliseconds, int):
        raise ValueError("has no time (`timestamp_ms`)")
    text = _value(record, _TEXT)
    is_written = record.get("type", "Generic") in _WRITTEN
    if not is_written or record.get("is_unsent") or record.get("isUnsent"):
        return None
    if not isinstance(text, str) or not text.strip() or _NOTICE.fullmatch(_repaired(text)):
        return None
    name = _repaired(name)
    return Message(name, name, milliseconds / 1000, _repaired(text), line)


def _value(record: dict[str, Any], names: tuple[str, str]) -> Any:
    return next((record[name] for name in names if name in record), None)


def _repaired(text: str) -> str:
    """Returns a text whose UTF-8 was taken for Latin-1, as in exports of accounts; others as they
    are."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except ValueError:
        return text
