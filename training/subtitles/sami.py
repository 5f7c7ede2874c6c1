"""Reader of SAMI (`.smi`): `<SYNC Start=1000><P Class=KRCC>text`, until the next of its class.

Files are rarely well formed, so tags are found one by one.
"""

from __future__ import annotations

import html
import re
from bisect import bisect
from collections.abc import Iterator

from training.files.records import Cue, Fault

#: How long the last text of a class is shown, in milliseconds.
LAST_MS = 4000

#: The start of a document in this format.
SAMI_START = re.compile(r"\s*(?:<!--.*?-->\s*)*<sami\b", re.DOTALL | re.IGNORECASE)
_SYNC = re.compile(r"<sync\b[^>]*?\bstart\s*=\s*[\"']?(-?\d{1,12})[^>]*>", re.IGNORECASE)
_PARAGRAPH = re.compile(r"<p\b(?:[^>]*?\bclass\s*=\s*[\"']?([\w-]{1,40}))?[^>]*>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_BREAK = re.compile(r"<br\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)


def parse_sami(text: str, origin: str) -> Iterator[Cue | Fault]:
    """Yields the cues of all classes (languages) in a document with LF as line break, by time; a
    text that ends before it starts is a fault of `origin`, its file."""
    breaks = [found.start() for found in re.finditer("\n", text)]
    shown: dict[str, tuple[int, str, int]] = {}  # by class: start, text and line
    cues: list[Cue] = []
    syncs = [*_SYNC.finditer(text)]
    ends = [*(sync.start() for sync in syncs[1:]), len(text)]
    for sync, end in zip(syncs, ends, strict=True):
        start, line = int(sync[1]), bisect(breaks, sync.start()) + 1
        before, *paragraphs = _PARAGRAPH.split(_COMMENT.sub("", text[sync.end() : end]))
        parts = (
            zip(paragraphs[::2], paragraphs[1::2], strict=True) if paragraphs else [("", before)]
        )
        for name, markup in parts:
            kind = (name or "").lower()
            if (last := shown.pop(kind, None)) and last[0] > start:
                yield Fault(f"{origin}:{last[2]}", "ends before it starts")
            elif last:
                cues.append(Cue(last[0], start, last[1], last[2]))
            if plain := _plain(markup):
                shown[kind] = max(0, start), plain, line
    cues += [Cue(start, start + LAST_MS, plain, line) for start, plain, line in shown.values()]
    yield from sorted(cues, key=lambda cue: (cue.start_ms, cue.line))


def _plain(markup: str) -> str:
    """Returns the text of a paragraph, with line breaks only where it has them as tags."""
    lines = _BREAK.split(markup)
    plain = (" ".join(html.unescape(_TAG.sub("", line)).split()) for line in lines)
    return "\n".join(line for line in plain if line)
