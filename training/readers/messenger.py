"""Reader of a chat in an export of Messenger or Instagram: `message_1.json`.

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
#: What the apps write in place of a message, in English: of themselves, and after a name or `You`.
_NOTICE = re.compile(
    r"Reacted \S+ to (your|a) message ?|Liked a message|This poll is no longer available\."
    r"|You are now connected on Messenger\.?"
)
_NOTICE_OF = re.compile(
    r"(sent|shared) an? (attachment|photo|video|sticker|GIF|link|post|reel|story|location)\.?"
    r"|(missed|started) an? (video |audio )?(call|chat).*|(left|joined) the (group|chat|.*call)\.?"
    r"|(added|removed) .* (to|from) the (group|chat)\.?|named the group .*|called you\."
    r"|changed the (group|chat|theme) .*|created (a|the) (group|poll|plan)\b.*"
    r"|set (the (emoji|theme|quick reaction)|.* nickname) .*|(unsent|pinned) a message\.?"
    r"|reacted \S+ to .*"
)


def read_messenger(path: Path, options: ChatOptions) -> Records:
    """Reads the exchanges of a chat. Calls, notices, messages that were unsent and media without
    text are left out.

    Raises:
        CorpusError: if it has no messages.
    """
    return read_chats(path, _message_of, "Messenger", options)


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
    if not isinstance(text, str) or not text.strip():
        return None
    name, text = _repaired(name), _repaired(text)
    return None if _is_notice(name, text) else Message(name, name, milliseconds / 1000, text, line)


def _is_notice(name: str, text: str) -> bool:
    """Tells whether the app wrote a text about the person of this name."""
    subject, _, predicate = text.partition(" ")
    if text.startswith(f"{name} "):
        subject, predicate = name, text[len(name) + 1 :]
    is_about = subject in ("You", name, *name.split()[:1])
    return bool(_NOTICE.fullmatch(text) or (is_about and _NOTICE_OF.fullmatch(predicate)))


def _value(record: dict[str, Any], names: tuple[str, str]) -> Any:
    return next((record[name] for name in names if name in record), None)


def _repaired(text: str) -> str:
    """Returns a text whose UTF-8 was taken for Latin-1, as in exports of accounts; others as they
    are."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except ValueError:
        return text
