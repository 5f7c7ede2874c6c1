"""Reader of Discord channels as DiscordChatExporter writes them: `.csv` and `.json`.

https://github.com/Tyrrrz/DiscordChatExporter
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.files.archives import plain_name
from training.files.records import Fault, Records
from training.readers.chat_dates import Stamp, order_of, parse_stamp, seconds_of
from training.readers.chats import (
    MENTION_END,
    MENTION_START,
    ChatOptions,
    Message,
    exchanges_of_chat,
    read_chats,
    seconds_of_date,
)
from training.readers.tables import read_rows

COLUMNS = ("AuthorID", "Author", "Date", "Content")
#: Types of messages that people write; others report who joined, called or pinned something.
MESSAGE_TYPES = ("Default", "Reply")

_DISCRIMINATOR = re.compile(r"#\d{4}$")  # after names, until 2023
#: Messages that nobody wrote, in the table, which has no types.
_NOTICE = re.compile(
    r"(?:Joined the server|Pinned a message|Changed the channel (?:name|icon).*"
    r"|Started a (?:call|thread).*|(?:Added|Removed) .+ (?:to|from) the group|Left the group)\.?"
)
#: Custom emoji, animated or not, and mentions that the exporter could not look up.
_MARKUP = re.compile(r"<a?(:\w+:)\d+>|<(?:[@#][!&]?\d+)>")


def read_discord(path: Path, options: ChatOptions) -> Records:
    """Reads the exchanges of a channel. Messages of bots and of the app itself are left out, and so
    are messages without text.

    Raises:
        CorpusError: if it has no messages, or not the columns of the exporter.
    """
    if plain_name(path).endswith(".csv"):
        return exchanges_of_chat(_read_table(path), str(path), options)
    return read_chats(path, _message_of, "DiscordChatExporter", options)


def _message_of(record: dict[str, Any], line: int) -> Message | None:
    """Returns the message of a record, or None to leave it out. Raises ValueError if malformed."""
    author, text = record.get("author"), record.get("content")
    if not isinstance(author, dict) or not isinstance(text, str):
        raise ValueError("has no author or content")
    if record.get("type") not in MESSAGE_TYPES or author.get("isBot"):
        return None
    text = _without_markup(text)
    if not text:
        return None
    name = author.get("nickname") or author.get("name") or ""
    sender = author.get("id") or name
    if not sender or not isinstance(name, str):
        raise ValueError("its author has neither id nor name")
    for mentioned in _names_of(record.get("mentions")):
        text = text.replace(f"@{mentioned}", f"@{MENTION_START}{mentioned}{MENTION_END}")
    return Message(str(sender), name, seconds_of_date(str(record.get("timestamp"))), text, line)


def _names_of(people: Any) -> list[str]:
    """Returns all names and nicknames of people, longest first."""
    known = [each for each in people if isinstance(each, dict)] if isinstance(people, list) else []
    names = {str(each[key]) for each in known for key in ("nickname", "name") if each.get(key)}
    return sorted(names, key=lambda name: (-len(name), name))


def _read_table(path: Path) -> Iterator[Message | Fault]:
    rows = list(_rows(path))
    order = order_of(row[1] for row in rows if not isinstance(row, Fault))
    for row in rows:
        if isinstance(row, Fault):
            yield row
            continue
        line, stamp, sender, name, text = row
        try:
            yield Message(
                sender or name, _DISCRIMINATOR.sub("", name), seconds_of(stamp, order), text, line
            )
        except ValueError as error:
            yield Fault(f"{path}:{line}", str(error))


def _rows(path: Path) -> Iterator[tuple[int, Stamp, str, str, str] | Fault]:
    """Yields line, date, author id, author name and text of each message that a person wrote."""
    for row in read_rows(path, COLUMNS):
        if isinstance(row, Fault):
            yield row
            continue
        line, (sender, name, date, text) = row[0], row[1].values()
        text = _without_markup(text)
        try:
            stamp = parse_stamp(date)
        except ValueError as error:
            yield Fault(f"{path}:{line}", f"not a message: {error}")
        else:
            if text and not _NOTICE.fullmatch(text):
                yield line, stamp, sender, name, text


def _without_markup(text: str) -> str:
    return _MARKUP.sub(lambda found: found[1] or "", text).strip()
