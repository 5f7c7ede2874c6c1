"""Conversations from the messages of a chat, without the names of the people in it.

`whatsapp.py`, `telegram.py`, `discord.py`, `messenger.py` and `slack.py` read the exports of the
apps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import regex

from training.errors import CorpusError
from training.files.paths import read_text
from training.files.records import Fault, Records
from training.readers.dialogue import PlacedText, exchanges_of
from training.readers.json_values import Row, arrays_of

#: The replacement for the name of anybody in the chat.
NAME = "@name"
#: A mention as WhatsApp marks it; readers of other apps mark theirs in the same way.
MENTION_START, MENTION_END = "\u2068", "\u2069"

_MENTION = re.compile(rf"@{MENTION_START}@?([^{MENTION_END}]{{0,200}}){MENTION_END}|@(\+?\d{{6,}})")
#: Invisible marks of direction that apps put around names and texts.
_INVISIBLE_MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
#: For `regex`, unlike `re`, vowel signs are part of a word.
_WORD = regex.compile(r"[^\W\d_]+")
_HANDLE = regex.compile(r"@?\w(?:[\w.+-]*\w)?")
_NAMES = re.compile(rf"{NAME}(?:[ -]{NAME})+")
#: Scripts without spaces, where a name has no word boundary.
_UNSPACED_SCRIPT = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+"
)


@dataclass(frozen=True)
class ChatOptions:
    """Options for turning a chat into conversations.

    Attributes:
        pause_hours: a longer silence ends a conversation.
        keep_names: leave the names of people in the texts.
    """

    pause_hours: float = 6.0
    keep_names: bool = False


@dataclass(frozen=True)
class Message:
    """A message of one person.

    Attributes:
        sender: identifies the person within the chat.
        name: of the sender; may be empty.
        seconds: time of the message, from any fixed moment.
        text: as it was written; mentions are between `MENTION_START` and `MENTION_END`.
        line: of the file, from 1, where the message begins.
    """

    sender: str
    name: str
    seconds: float
    text: str
    line: int


#: From a record and its line to a message, or None to leave it out.
MessageOf = Callable[[dict[str, Any], int], Message | None]


def exchanges_of_chat(
    found: Iterable[Message | Fault], path: str, options: ChatOptions, others: Iterable[str] = ()
) -> Records:
    """Yields the exchanges of one chat, in order of time. Consecutive messages of one person are
    one turn. A conversation is a group; it ends with a long silence or an unreadable message.

    Names of senders, and `others`, become `NAME` in texts, as in `without_names`, unless `options`
    keep them.
    """
    messages = list(found)
    names = {*others, *(each.name for each in messages if isinstance(each, Message))}
    clean = _with_names if options.keep_names else without_names(names)
    conversation: list[list[Message]] = []  # by turns
    for each in messages:
        last = conversation[-1][-1] if conversation else None
        if last and (
            isinstance(each, Fault) or each.seconds - last.seconds > options.pause_hours * 3600
        ):
            yield from _exchanges_of(conversation, path, clean)
            conversation, last = [], None
        if isinstance(each, Fault):
            yield each
        elif last and last.sender == each.sender:
            conversation[-1].append(each)
        else:
            conversation.append([each])
    yield from _exchanges_of(conversation, path, clean)


def read_chats(path: Path, message_of: MessageOf, app: str, options: ChatOptions) -> Records:
    """Reads the exchanges of each chat in an export of `app`: the arrays `messages` in its JSON. A
    chat whose first message is newer than its last is read backwards. `message_of` raises
    ValueError at a record of another shape.

    Raises:
        CorpusError: if there is no such array.
    """
    is_found = False
    for rows in arrays_of(read_text(path), str(path), "messages"):
        is_found = True
        parsed = [found for row in rows if (found := parse_message(row, path, message_of))]
        times = [each.seconds for each in parsed if isinstance(each, Message)]
        if times and times[0] > times[-1]:
            parsed.reverse()
        yield from exchanges_of_chat(parsed, str(path), options)
    if not is_found:
        raise CorpusError(f'{path}: not an export of {app}: it has no list "messages".')


def seconds_of_date(text: str) -> float:
    """Returns the seconds since 1970 of a date and time in ISO 8601; without a zone, as if in UTC.

    Raises:
        ValueError: if it is none.
    """
    date = datetime.fromisoformat(text)
    return date.replace(tzinfo=date.tzinfo or UTC).timestamp()


def without_names(names: Iterable[str]) -> Callable[[str], str]:
    """Returns a function that replaces the names of people in a text by `NAME`.

    It replaces mentions, and each word of `names`, with the same capitals, also as a genitive
    (`Annas`). A word in small letters counts only if it is a whole name, or after an `@`.
    """
    words: set[str] = set()
    handles: set[str] = set()
    unspaced: set[str] = set()
    for name in names:
        parts = [part for part in _WORD.findall(name) if len(part) > 1]
        handles |= {f"@{part}".casefold() for part in (*parts, name)}
        if not name.isalpha():
            handles.add(name.casefold())
        words |= {part for part in parts if part[0].isupper()}
        if len(parts) == 1:
            words |= {parts[0], parts[0].capitalize()}
        unspaced |= {part for part in parts if _UNSPACED_SCRIPT.fullmatch(part)}
    unspaced_names = re.compile("|".join(sorted(unspaced, key=len, reverse=True)) or "(?!)")

    def hide_word(found: regex.Match[str]) -> str:
        return NAME if found[0] in words or found[0].removesuffix("s") in words else found[0]

    def hide_handle(found: regex.Match[str]) -> str:
        return NAME if found[0].casefold() in handles else found[0]

    def hide(text: str) -> str:
        text = _INVISIBLE_MARKS.sub("", _MENTION.sub(NAME, text))
        text = _WORD.sub(hide_word, _HANDLE.sub(hide_handle, text))
        return _NAMES.sub(NAME, unspaced_names.sub(NAME, text))

    return hide


def parse_message(row: Row | Fault, path: Path, message_of: MessageOf) -> Message | Fault | None:
    """Returns the message in a row, None to leave it out, or a fault if it is malformed."""
    if isinstance(row, Fault):
        return row
    line, record = row
    try:
        if not isinstance(record, dict):
            raise ValueError("expected a record")
        return message_of(record, line)
    except ValueError as error:
        return Fault(f"{path}:{line}", f"not a message: {error}")


def _exchanges_of(
    conversation: list[list[Message]], path: str, clean: Callable[[str], str]
) -> Records:
    turns: list[PlacedText] = []
    for messages in conversation:
        text = " ".join(each.text for each in messages)
        turns.append((messages[0].line, " ".join(clean(text).split())))
    group = f"{path}:{turns[0][0]}" if turns else path
    return exchanges_of(turns, group=group, origin=path)


def _with_names(text: str) -> str:
    return _INVISIBLE_MARKS.sub("", _MENTION.sub(r"@\1\2", text))
