"""Reader of the cues in subtitle files. Speakers are the task of `training.subtitles.turns`.

A file is cut into blocks, one for each cue, so that each has a line and a bad one costs no other;
pysubs2 parses them. `webvtt.py`, `ttml.py` and `sami.py` read one format each. The format is
detected from the content. Signs and songs in SubStation are left out, by their styles and tags.
"""

from __future__ import annotations

import html
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path

import pysubs2

from training.errors import CorpusError
from training.files.archives import plain_name
from training.files.encodings import decode
from training.files.paths import read_bytes
from training.files.records import Cue, Fault
from training.subtitles.colours import colours_tell_speakers, speakers_of
from training.subtitles.sami import SAMI_START, parse_sami
from training.subtitles.ttml import TTML_START, parse_ttml
from training.subtitles.webvtt import (
    ARROW,
    MAX_CUE_CHARACTERS,
    TOO_LONG,
    WEBVTT_START,
    parse_webvtt,
    readable_markup,
)

#: Milliseconds: no film is longer, so a later time is a mistake.
MAX_FILM_MS = 24 * 3_600_000
#: Frames per second of a MicroDVD file that does not declare its rate: that of films on discs.
DEFAULT_FRAME_RATE = 23.976

Block = tuple[int, str]  # the line where it begins, and its lines
Blocks = Iterator[Block | Fault]
Cues = Iterator[Cue | Fault]

# Translation programs damage times: `00: 00: 01,000 -> 00: 00: 02,000`. Whisper writes
# `[00:01.000 --> 00:02.000] Hi.`
_GAP = r"[^\S\n]*"
_COLON = r"[^\S\n]?:[^\S\n]?"
_STAMP = (
    rf"(?:\d{{1,3}}{_COLON})?\d{{1,2}}{_COLON}\d{{1,2}}"
    rf"(?:[^\S\n]?[.,][^\S\n]?\d+(?:\.\d+)?|{_COLON}\d{{3}})?"
)
_FULL_STAMP = r"\d{1,2}:\d{2}:\d{2}\.\d{1,3}"
_ARROW = r"(?:[-\u2013\u2014\u2212][-\u2013\u2014\u2212 ]*(?:>|&gt;)|→)"
_TIMES = re.compile(
    rf"^{_GAP}(?:\d{{1,6}}[^\S\n]+|\[)?(?:({_STAMP}){_GAP}{_ARROW}{_GAP}({_STAMP})"
    rf"|({_FULL_STAMP}),({_FULL_STAMP}))(?![\d:.,])\]?(.*)",
    re.MULTILINE,
)
_SECONDS_END = re.compile(r"[.,]|:(?=\d{3}$)")
#: After the times of a cue, where to show it: `X1:100`, `align:start`.
_PLACEMENT = re.compile(r"\w+:\S*")
_EVENT = re.compile(r"^[ \t]*(?:Dialogue|Comment):(.*)", re.MULTILINE)
_FRAMES = re.compile(r"^[ \t]*\{\s*\d+\s*\}\s*\{\s*\d+\s*\}(.*)", re.MULTILINE)
_TENTHS = re.compile(r"^[ \t]*\[\d+\]\s*\[\d+\](.*)", re.MULTILINE)
#: A frame rate in the first line.
_FRAME_RATE = re.compile(r"[ \t\n]*\{[01]\}[ \t]*\{[01]\}[ \t]*(\d{1,3}(?:[.,]\d+)?)[ \t]*(?:\n|$)")
#: Marks of byte order and of writing direction: invisible, but they would hide a dash, a number or
#: a time from the patterns here.
_MARKS = re.compile(
    r"[\ufeff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|&(?:lrm|rlm|#820[67]|#x200[ef]);",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]\w{1,30});")
_COLOUR_MARK = re.compile("\ue000([^\ue000\ue001]*)\ue001")
#: Words in the names of styles whose events are not speech.
_NON_SPEECH_WORDS = frozenset(
    "credit credits ed ending eyecatch insert kara karaoke logo lyric lyrics note notes op opening "
    "romaji sign signs song songs staff title titles ts typeset typesetting".split()
)
#: `OPRomaji` has two words, and so have `OP-romaji` and `op_romaji2`.
_STYLE_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: Times of syllables: `{\k20}`, `{\an8\kf15}`
_KARAOKE = re.compile(r"\{[^}]{0,500}\\(?:[kK]|kf|ko|kt)\d")
#: A shape of SubStation that a converter took for text: `m 0 0 l 100 0 100 20`
_DRAWING = re.compile(r"m(?:\s+(?:[mnlbspc]|-?\d+(?:\.\d+)?)){4,}")
_WEB_PAGE = re.compile(r"\s*<(?:!doctype|html|\?xml)\b", re.IGNORECASE)


def read_cues(path: Path) -> Iterator[Cue | Fault]:
    """Reads the cues of a subtitle file (SubRip, WebVTT, SubStation, TTML, SAMI, MicroDVD, MPL2 or
    SubViewer) in any encoding, in the file's order. A cue that cannot be read is a fault, and so is
    a file name with the suffix of another format.

    Raises:
        CorpusError: if it is not a subtitle file.
    """
    try:
        decoded, _ = decode(read_bytes(path))
        text = _MARKS.sub("", decoded.replace("\r\n", "\n").replace("\r", "\n"))
        form = format_of(text)
    except ValueError as error:
        raise CorpusError(f"{path}: not subtitles: {error}.") from None
    suffix = Path(plain_name(path)).suffix
    if form not in FORMATS_OF_SUFFIX.get(suffix, PARSERS):
        yield Fault(f"{path}:1", f"is {form}, though its name ends in {suffix}")
    for each in PARSERS[form](text, str(path)):
        if isinstance(each, Cue) and (reason := _error_in(each)):
            yield Fault(f"{path}:{each.line}", reason)
        else:
            yield each


def _error_in(cue: Cue) -> str:
    if cue.end_ms > MAX_FILM_MS:
        return "ends after more than 24 hours"
    return "has bytes that are not text" if "\ufffd" in cue.text else ""


def format_of(text: str) -> str:
    """Returns the format of a text with LF as line break: a key of `PARSERS`.

    Raises:
        ValueError: if the format is unknown; the message says what the text is instead, if known.
    """
    for form, start in (("WebVTT", WEBVTT_START), ("TTML", TTML_START), ("SAMI", SAMI_START)):
        if start.match(text):
            return form
    if _EVENT.search(text) or "[Script Info]" in text:
        return "SubStation"
    first = {
        match.start(): form
        for form, pattern in (("SubRip", _TIMES), ("MicroDVD", _FRAMES), ("MPL2", _TENTHS))
        if (match := pattern.search(text))
    }
    if not first:
        raise ValueError(_describe_unknown(text))
    return first[min(first)]


def _describe_unknown(text: str) -> str:
    if not text.strip():
        return "it is empty"
    if _WEB_PAGE.match(text):
        return "it is a web page or XML of another kind than TTML"
    return "it has no time in a subtitle format (00:00:01,000 --> 00:00:02,000, ...)"


def _subrip(text: str, origin: str) -> Cues:
    """Parses SubRip and SubViewer: a line with two times, then lines of text."""
    blocks = list(_timed_blocks(text, origin))
    by_colour = "<font" in text.lower() and colours_tell_speakers(
        block[1] for block in blocks if not isinstance(block, Fault)
    )
    return _parse(map(partial(_mark_colours, by_colour=by_colour), blocks), "srt", origin)


def _mark_colours(block: Block | Fault, *, by_colour: bool) -> Block | Fault:
    """Returns a block with readable markup, and with the colours of speakers between two marks that
    pysubs2 leaves alone."""
    if isinstance(block, Fault) or not ("<" in block[1] or "&" in block[1]):
        return block
    line, text = block[0], readable_markup(_unescape(block[1]))
    if by_colour:
        runs = speakers_of(_COLOUR_MARK.sub("", text))
        text = "".join(f"\ue000{colour}\ue001{run}" for colour, run in runs)
        text = text.removeprefix("\ue000\ue001")
    return line, text


def _substation(text: str, origin: str) -> Cues:
    form = "ssa" if re.search(r"\[V4 Styles", text, re.IGNORECASE) else "ass"
    return _parse(_line_blocks(text, origin, _EVENT, least_commas=9), form, origin)


def _microdvd(text: str, origin: str) -> Cues:
    declared = _FRAME_RATE.match(text)
    rate = float(declared[1].replace(",", ".")) if declared else 0.0
    blocks = _line_blocks(text, origin, _FRAMES, others="{frame}{frame}text")
    if rate:
        next(blocks)
    return _parse(blocks, "microdvd", origin, fps=rate or DEFAULT_FRAME_RATE)


def _mpl2(text: str, origin: str) -> Cues:
    return _parse(_line_blocks(text, origin, _TENTHS, others="[time][time]text"), "mpl2", origin)


def _timed_blocks(text: str, origin: str) -> Blocks:
    block: list[str] = []
    start, is_first = 0, True
    for number, line in enumerate(text.split("\n"), start=1):
        times = _TIMES.match(line)
        if not times and ARROW not in line:
            block.append(line.replace("[br]", "\n"))
            continue
        if start:
            yield start, "\n".join(block)
        elif is_first and any(map(_is_text, block)):
            yield Fault(f"{origin}:1", "text before the first time")
        start, block, is_first = 0, [], False
        if times:
            first, last = times[1] or times[3], times[2] or times[4]
            start, block = number, [f"{_full_stamp(first)} --> {_full_stamp(last)}"]
            if any(map(str.isalpha, _PLACEMENT.sub("", times[5]))):
                block.append(times[5])
        else:
            yield Fault(f"{origin}:{number}", "expected hh:mm:ss,mmm --> hh:mm:ss,mmm")
    if start:
        yield start, "\n".join(block)


def _is_text(line: str) -> bool:
    """Tells whether a line before all times is text: no number, no part of SubViewer's header."""
    return not line.strip().isdigit() and not line.startswith("[") and bool(line.strip())


def _full_stamp(stamp: str) -> str:
    """Returns a stamp with hours and milliseconds, which pysubs2 requires. Some programs write
    `1,69.5234375`, in which the milliseconds are a number of their own."""
    whole, _, fraction = _SECONDS_END.sub(".", "".join(stamp.split()), count=1).partition(".")
    milliseconds, is_number, _ = fraction.partition(".")
    digits = milliseconds.rjust(3, "0") if is_number else milliseconds.ljust(3, "0")
    return f"{'' if whole.count(':') == 2 else '0:'}{whole},{digits[:3]}"


def _line_blocks(
    text: str, origin: str, pattern: re.Pattern[str], *, least_commas: int = 0, others: str = ""
) -> Blocks:
    """Yields each line that `pattern` matches. With `others`, the expected form, all other lines
    are faults."""
    for number, line in enumerate(text.split("\n"), start=1):
        match = pattern.match(line)
        if match and match[1].count(",") >= least_commas:
            yield number, line
        elif match:
            yield Fault(f"{origin}:{number}", f"expected {least_commas + 1} fields")
        elif others and line.strip() and not line.startswith("{DEFAULT}"):
            yield Fault(f"{origin}:{number}", f"expected {others}")


def _parse(
    found: Iterable[Block | Fault], form: str, origin: str, *, fps: float | None = None
) -> Cues:
    """Parses all blocks at once, or one by one if any is bad, so that it costs no other."""
    each = [_check_length(block, origin) for block in found]
    blocks = [block for block in each if not isinstance(block, Fault)]
    events = _events("\n".join(text for _, text in blocks), form, fps)
    if isinstance(events, str) or len(events) != len(blocks):
        parsed = iter([_events(text, form, fps) for _, text in blocks])
    else:
        parsed = iter([[event] for event in events])
    for block in each:
        if isinstance(block, Fault):
            yield block
        else:
            yield from _cues_of(next(parsed), block[0], origin)


def _check_length(block: Block | Fault, origin: str) -> Block | Fault:
    if isinstance(block, Fault) or len(block[1]) <= MAX_CUE_CHARACTERS:
        return block
    return Fault(f"{origin}:{block[0]}", TOO_LONG.format(len(block[1])))


def _events(text: str, form: str, fps: float | None) -> list[pysubs2.SSAEvent] | str:
    """Returns the events that pysubs2 reads in `text`, or why it cannot read it."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return pysubs2.SSAFile.from_string(text, format_=form, fps=fps).events
    except (pysubs2.exceptions.Pysubs2Error, ValueError, OverflowError) as error:
        return f"not {form}: {error}"


def _cues_of(events: list[pysubs2.SSAEvent] | str, line: int, origin: str) -> Cues:
    if isinstance(events, str):
        yield Fault(f"{origin}:{line}", events)
        return
    for event in events:
        if event.is_comment or ("\\p" in event.text and event.is_drawing):
            continue
        if event.end < event.start:
            yield Fault(f"{origin}:{line}", "ends before it starts")
            continue
        if not is_speech(event.style, event.text):
            continue
        first, *others = _COLOUR_MARK.split(_unescape(event.plaintext))
        for colour, text in [("", first), *zip(others[::2], others[1::2], strict=True)]:
            if (text := text.strip()) and not _DRAWING.fullmatch(text):
                start, end = max(0, event.start), max(0, event.end)
                yield Cue(start, end, text, line, event.name.strip(), colour)


def is_speech(style: str, text: str) -> bool:
    """Tells whether an event of SubStation is speech, by its style's name and the tags in it."""
    return _is_speech_style(style) and not ("\\" in text and _KARAOKE.search(text))


@lru_cache(maxsize=1000)
def _is_speech_style(style: str) -> bool:
    words = [word.lower() for word in _STYLE_WORD.findall(style)]
    return words[:2] == ["sub", "title"] or not _NON_SPEECH_WORDS.intersection(words)


def _unescape(text: str) -> str:
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


#: From a text and its origin to cues. SubViewer is read as SubRip.
PARSERS: dict[str, Callable[[str, str], Cues]] = {
    "SubRip": _subrip,
    "WebVTT": parse_webvtt,
    "SubStation": _substation,
    "TTML": parse_ttml,
    "SAMI": parse_sami,
    "MicroDVD": _microdvd,
    "MPL2": _mpl2,
}
FORMATS_OF_SUFFIX = {
    ".srt": ("SubRip",),
    ".vtt": ("WebVTT",),
    ".ass": ("SubStation",),
    ".ssa": ("SubStation",),
    ".ttml": ("TTML",),
    ".dfxp": ("TTML",),
    ".smi": ("SAMI",),
    ".sub": ("MicroDVD", "MPL2", "SubRip"),
}
