"""Reader of Slack's export: a folder for each channel, with a file of JSON for each day.

Beside the folders, `users.json` and other lists describe people and channels.
https://slack.com/help/articles/220556107
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from training.files.archives import is_file
from training.files.paths import read_text
from training.files.records import Fault, Records
from training.readers.chats import (
    MENTION_END,
    MENTION_START,
    ChatOptions,
    Message,
    exchanges_of_chat,
    parse_message,
)
from training.readers.json_values import values_of

#: Lists beside the folders: of people, and of channels of some kind, one at least.
PEOPLE, CHANNELS = "users.json", ("channels.json", "groups.json", "dms.json", "mpims.json")
#: The id of Slack itself, which reminds and answers.
SLACKBOT = "USLACKBOT"
#: Subtypes of messages that people write; others report who joined, uploaded or changed something.
WRITTEN_SUBTYPES = (None, "me_message", "thread_broadcast")
#: Fields with the names of a person, best first.
_NAMES = ("real_name", "display_name", "name")
#: A mention, channel, command or address, perhaps with the text that is shown for it.
_LINK = re.compile(r"<([^<>|\s][^<>|]*)(?:\|([^<>]*))?>")

#: From the ids of people to their names.
People = dict[str, tuple[str, ...]]


def read_slack(path: Path, options: ChatOptions) -> Records:
    """Reads the exchanges of a day of a channel, then those of its threads. A thread of several
    days is a conversation on each. Messages of apps and of Slack itself, and messages without text,
    are left out, and so are the lists beside the channels.

    Raises:
        CorpusError: if the file cannot be read.
    """
    if is_list_of_export(path):
        return
    people = _people_beside(path)
    channel, threads = list[Message | Fault](), dict[str, list[Message | Fault]]()
    for row in values_of(read_text(path), str(path)):
        message = parse_message(row, path, partial(_message_of, people=people))
        if message is None:
            continue
        record = row[1] if isinstance(row, tuple) else {}
        thread = record.get("thread_ts") if isinstance(record, dict) else None
        if thread:
            threads.setdefault(str(thread), []).append(message)
        if not thread or thread == record.get("ts"):
            channel.append(message)
    chats = (channel, *threads.values())
    senders = {each.sender for found in chats for each in found if isinstance(each, Message)}
    names = {name for sender in senders for name in people.get(sender, ())}
    for found in chats:
        yield from exchanges_of_chat(found, str(path), options, names)


def is_list_of_export(path: Path) -> bool:
    """Tells whether a file lists people, channels or such, beside the folders of the channels."""
    has_channels = any(is_file(path.with_name(name)) for name in CHANNELS)
    return has_channels and is_file(path.with_name(PEOPLE))


def _message_of(record: dict[str, Any], line: int, people: People) -> Message | None:
    """Returns the message of a record, or None to leave it out. Raises ValueError if malformed."""
    sender, text = record.get("user"), record.get("text")
    if record.get("type") != "message":
        raise ValueError('its type is not "message"')
    is_written = record.get("subtype") in WRITTEN_SUBTYPES and sender != SLACKBOT
    if not is_written or record.get("bot_id"):
        return None
    if not isinstance(sender, str) or not isinstance(text, str):
        raise ValueError("has no user or text")
    text = html.unescape(_LINK.sub(partial(_shown, people=people), text))
    if not text.strip():
        return None
    names = people.get(sender) or tuple(_names_of(record.get("user_profile")))
    return Message(sender, names[0] if names else "", float(str(record.get("ts"))), text, line)


def _shown(found: re.Match[str], people: People) -> str:
    """Returns what Slack shows for a link."""
    target, label = found[1], found[2] or ""
    if target[0] == "@":
        name = people.get(target[1:], (label or target[1:],))[0]
        return f"@{MENTION_START}{name}{MENTION_END}"
    if target[0] == "#":
        return label and f"#{label}"
    if target[0] == "!":  # `<!here>`, `<!subteam^S1|@team>`
        return label or ("" if "^" in target else f"@{target[1:]}")
    return label or target.removeprefix("mailto:")


def _people_beside(path: Path) -> People:
    lists = (folder / PEOPLE for folder in (path.parent.parent, path.parent))
    return next((_read_people(each) for each in lists if is_file(each)), {})


@lru_cache(maxsize=1)
def _read_people(path: Path) -> People:
    """Reads `users.json`, once for all days of all channels."""
    rows = values_of(read_text(path), str(path))
    records = (row[1] for row in rows if isinstance(row, tuple) and isinstance(row[1], dict))
    return {
        str(each.get("id")): tuple(
            dict.fromkeys((*_names_of(each.get("profile")), *_names_of(each)))
        )
        for each in records
    }


def _names_of(person: Any) -> Iterator[str]:
    known = person if isinstance(person, dict) else {}
    return (known[key] for key in _NAMES if isinstance(known.get(key), str) and known[key])
