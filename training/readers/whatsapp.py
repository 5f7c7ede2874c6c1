"""Reader of WhatsApp's export of a chat: an iPhone's `_chat.txt`, or the `.txt` of Android.

    [31.12.20, 21:15:03] Anna: Who is there?          iPhone
    12/31/20, 9:15 PM - Anna: Who is there?           Android

Dates are in the style of the phone's region, notices in its language.
https://faq.whatsapp.com/1180414079177245
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from training.errors import CorpusError
from training.files.paths import read_lines
from training.files.records import Fault, Records
from training.readers.chat_dates import STAMP, DateOrder, Stamp, order_of, seconds_of, stamp_of
from training.readers.chats import ChatOptions, Message, exchanges_of_chat
from training.readers.whatsapp_notices import without_notices

#: Invisible marks, but for that of a notice, which follows the sender.
_INVISIBLE_MARKS = re.compile("(?<!: )[\u200e\u200f\u202a-\u202e\ufeff]")
_BRACKETED = re.compile(rf"\[{STAMP}\]\s?(.*)", re.DOTALL)
_DASHED = re.compile(rf"{STAMP}(?:\s?[–—-]\s|[:,]\s)(.*)", re.DOTALL)
#: A notice has no sender, but may have a colon: `Anna changed the subject to “Trip: May”`.
_SENDER = re.compile(r"([^:\n\"“”„«»]{1,100}):(?:\s(.*)|$)", re.DOTALL)


@dataclass(frozen=True)
class _Entry:
    """A date and the lines after it, before the order of the date's numbers is known."""

    stamp: Stamp
    line: int
    lines: list[str] = field(default_factory=list)


def read_whatsapp(path: Path, options: ChatOptions) -> Records:
    """Reads the exchanges of a chat. Messages of the app itself (who joined, calls, omitted media,
    deleted messages) are left out.

    Raises:
        CorpusError: if no line begins as those of WhatsApp do.
    """
    found = list(_entries(path))
    entries = [each for each in found if isinstance(each, _Entry)]
    if not entries:
        raise CorpusError(
            f"{path}: not a WhatsApp chat: no line begins like `12/31/20, 9:15 PM - Anna: ` or "
            "`[31.12.20, 21:15:03] Anna: `."
        )
    order = order_of(entry.stamp for entry in entries)
    messages = (_message_of(each, order, path) for each in found)
    yield from exchanges_of_chat((each for each in messages if each), str(path), options)


def _entries(path: Path) -> Iterator[_Entry | Fault]:
    """Yields each date with the lines that belong to it. A file has one style of dates: a date in
    another style is a part of a message."""
    style: re.Pattern[str] | None = None
    entry: _Entry | None = None
    is_reported = False
    for number, line in read_lines(path):
        plain = _INVISIBLE_MARKS.sub("", line)
        found = None
        for pattern in (style,) if style else (_BRACKETED, _DASHED):
            found = found or pattern.match(plain)
        if not found:
            if entry:
                entry.lines.append(line)
            elif plain.strip() and not is_reported:
                is_reported = True
                yield Fault(f"{path}:{number}", "expected a date, a time and a sender")
            continue
        if entry:
            yield entry
        entry, style = None, found.re
        *parts, rest = found.groups(default="")
        try:
            entry = _Entry(stamp_of(*parts), number, [rest])
        except ValueError as error:
            is_reported = True
            yield Fault(f"{path}:{number}", str(error))
    if entry:
        yield entry


def _message_of(entry: _Entry | Fault, order: DateOrder, path: Path) -> Message | Fault | None:
    """Returns the message of an entry; None if the app wrote it, or no text is left."""
    if isinstance(entry, Fault):
        return entry
    found = _SENDER.match("\n".join(entry.lines))
    text = without_notices(found[2] or "") if found else ""
    if not found or not text:
        return None
    try:
        seconds = seconds_of(entry.stamp, order)
    except ValueError as error:
        return Fault(f"{path}:{entry.line}", str(error))
    name = found[1].strip("~ \u202f")
    return Message(name, name, seconds, text, entry.line)
