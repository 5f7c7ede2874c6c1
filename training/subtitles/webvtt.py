"""Parser of WebVTT: webvtt-py reads the blocks; this module adds lines and reports bad blocks.

Specification: https://www.w3.org/TR/webvtt1/ (sections 4 and 6).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import webvtt

from training.files.records import Cue, Fault
from training.subtitles.colours import colours_tell_speakers, speakers_of

ARROW = "-->"
#: The most characters of a cue with its markup: nobody can read more at a time.
MAX_CUE_CHARACTERS = 5000
TOO_LONG = "a cue of {:,} characters"

BlockLines = tuple[int, list[str]]  # the line where it begins, and its lines

#: The start of a file in this format.
WEBVTT_START = re.compile(r"WEBVTT(?:[ \t\n]|$)")
#: Blocks that show nothing; the header recurs where segments of a stream are joined.
_OTHER_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION|WEBVTT)(?:\s|$)")
#: Times, whose milliseconds may follow a comma, as in SubRip.
_TIMES = re.compile(r"^[ \t]*[\d:.,]+[ \t]*-->[ \t]*[\d:.,]+", re.MULTILINE)
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?(?:\s+([^>]*))?>|</v>")
_TAG = re.compile(r"<[^>]*(?:>|$)")
#: The reading of a word, in small letters above it, and the brackets for players without ruby.
_READING = re.compile(r"<r([tp])\b[^<>]*>[^<]*(?:</r\1>)?", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def parse_webvtt(text: str, origin: str) -> Iterator[Cue | Fault]:
    """Yields the cues of a WebVTT text with LF as line break, one for each voice in them, and for
    each colour if colours identify speakers; and faults of `origin`, its file."""
    blocks = list(blocks_of(_TIMES.sub(lambda times: times[0].replace(",", "."), text)))
    by_colour = "<c." in text and colours_tell_speakers("\n".join(block) for _, block in blocks)
    for line, block in blocks:
        if (length := sum(map(len, block))) > MAX_CUE_CHARACTERS:
            yield Fault(f"{origin}:{line}", TOO_LONG.format(length))
            continue
        captions = captions_of(block, line == 1)
        arrows = [line + place for place, each in enumerate(block) if ARROW in each]
        if len(captions) < len(arrows):
            yield Fault(f"{origin}:{arrows[0]}", "expected a cue, mm:ss.mmm --> mm:ss.mmm")
        elif not arrows and line > 1 and not _OTHER_BLOCK.match(block[0]):
            yield Fault(f"{origin}:{line}", "text outside of a cue")
        for caption, place in zip(captions, arrows, strict=False):
            yield from _cues_of(caption, place, origin, by_colour)


def blocks_of(text: str) -> Iterator[BlockLines]:
    """Yields the blocks of lines between empty lines."""
    start, block = 1, list[str]()
    for number, line in enumerate(text.split("\n"), start=1):
        if line:
            block.append(line)
            continue
        if block:
            yield start, block
        start, block = number + 1, []
    if block:
        yield start, block


def captions_of(block: list[str], is_first: bool) -> list[webvtt.Caption]:
    """Returns the cues of a block, mostly one or none. A file's first block is its header."""
    lines = block if is_first else ["WEBVTT", "", *block]
    try:
        return list(webvtt.from_string("\n".join(lines) + "\n").captions)
    except webvtt.errors.MalformedFileError:
        return []


def _cues_of(
    caption: webvtt.Caption, line: int, origin: str, by_colour: bool
) -> Iterator[Cue | Fault]:
    start = caption.start_time.in_milliseconds()
    end = caption.end_time.in_milliseconds()
    if end < start:
        yield Fault(f"{origin}:{line}", "ends before it starts")
        return
    speaker, part_start = "", 0
    raw = readable_markup(caption.raw_text)
    for tag in [*_VOICE.finditer(raw), None]:
        part = raw[part_start : tag.start() if tag else None]
        for colour, run in speakers_of(part) if by_colour else [("", part)]:
            if text := _plain(run):
                yield Cue(start, end, text, line, speaker, colour)
        if tag:
            speaker, part_start = " ".join((tag[1] or "").split()), tag.end()


def readable_markup(markup: str) -> str:
    """Returns markup with line breaks for `<br>`, and without ruby readings:
    `<ruby>海<rt>うみ</rt></ruby>` becomes 海."""
    return _LINE_BREAK.sub("\n", _READING.sub("", markup))


def _plain(text: str) -> str:
    return html.unescape(html.unescape(_TAG.sub("", text))).strip()  # some are escaped twice
