"""Subtitle files as cues, and back: SubRip, WebVTT, SubStation, and plain text, whose lines are
cues without times. Every character that is not the text of a cue stays as it is.

The libraries for subtitles do not: pysubs2 writes its own form of times, headers and tags, and
webvtt-py drops what stands between cues.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from model.errors import InputError

#: No film has more; a file of so many cues has some 8 MB.
MAX_CUES = 100_000
#: Nobody can read more at a time.
MAX_CUE_CHARACTERS = 5_000

#: Some programs leave out the milliseconds, or give them a fraction of their own.
_STAMP = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:[,.](\d{1,3})(?:\.?\d{1,20})?)?"
_TIMES = re.compile(rf"[ \t\ufeff]*{_STAMP}[ \t]*-->[ \t]*{_STAMP}(?![\d:])")
_LIKE_TIMES = re.compile(r"[ \t]*\d+:[^\r\n]{0,40}--?>|[ \t]*--?>[ \t]*\d+:")
_ASS_STAMP = re.compile(r"\s*(\d{1,3}):(\d{1,2}):(\d{1,2})[.:](\d{1,3})\s*")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
#: Drawings, and syllables with times of their own.
_NO_SPEECH = re.compile(r"\{[^}]{0,500}\\(?:p[1-9]|[kK]|k[fot])\d?")


class FileError(InputError):
    """A file cannot be read; the message names the line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


@dataclass(frozen=True)
class Cue:
    """A text with the time for which it is shown.

    Attributes:
        line: of the file, where its text begins.
        start_ms, end_ms: milliseconds; both 0 in plain text.
        text: as it is written, markup and line breaks included, without the last line break.
    """

    line: int
    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True)
class SubtitleFile:
    """A file.

    Attributes:
        form: its format, a key of `FORMS`.
        pieces: what stays, and indices of `cues` where texts stand.
        cues: in the order of the file.
    """

    form: str
    pieces: tuple[str | int, ...]
    cues: tuple[Cue, ...]

    def rendered(self, texts: Sequence[str]) -> str:
        """Returns the file with other texts, one for each cue."""
        return "".join(piece if isinstance(piece, str) else texts[piece] for piece in self.pieces)


def form_of(name: str) -> str:
    """Returns the format of a file by the ending of its name.

    Raises:
        InputError: if it is none of `FORMS`.
    """
    suffix = PurePath(name).suffix.lower().removeprefix(".")
    if suffix not in FORMS:
        known = ", ".join(f".{form}" for form in FORMS)
        raise InputError(f"the file's name must end in one of {known}")
    return suffix


def parse_file(text: str, form: str) -> SubtitleFile:
    """Parses a file of the format `form`.

    Raises:
        FileError: if it is not in this format, or beyond a limit.
    """
    pieces, cues = list[str | int](), list[Cue]()
    for piece in FORMS[form](_lines_of(text)):
        if isinstance(piece, str):
            pieces.append(piece)
            continue
        if len(cues) == MAX_CUES:
            raise FileError(piece.line, f"more than {MAX_CUES:,} cues")
        if len(piece.text) > MAX_CUE_CHARACTERS:
            raise FileError(piece.line, f"a text of more than {MAX_CUE_CHARACTERS:,} characters")
        pieces.append(len(cues))
        cues.append(piece)
    return SubtitleFile(form, tuple(pieces), tuple(cues))


def _lines_of(text: str) -> list[str]:
    """Returns lines with their ends: LF, CR LF or CR."""
    return [line for line in _LINE.findall(text) if line]


def _without_end(line: str) -> str:
    return line.rstrip("\r\n")


def _cue(line: int, start_ms: int, end_ms: int, lines: Sequence[str]) -> Iterator[Cue | str]:
    """Yields a cue of these lines, and the end of its last line."""
    text = "".join(lines)
    kept = _without_end(text)
    if kept.strip():
        yield Cue(line, start_ms, end_ms, kept)
        yield text[len(kept) :]
    else:
        yield text


def _milliseconds(stamp: Sequence[str]) -> int:
    hours, minutes, seconds, fraction = stamp
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole * 1000 + int(fraction.ljust(3, "0"))


def _subrip(lines: Sequence[str]) -> Iterator[Cue | str]:
    times = [place for place, line in enumerate(lines) if "->" in line and _is_times(line, place)]
    if not times:
        raise FileError(1, "no time in the whole file; expected 00:00:01,000 --> 00:00:02,000")
    for place, line in enumerate(lines[: times[0]]):
        if line.strip("\ufeff\r\n \t") and not line.strip("\ufeff\r\n \t").isdigit():
            raise FileError(place + 1, "text before the first time")
    yield "".join(lines[: times[0] + 1])
    for place, following in zip(times, [*times[1:], len(lines)], strict=True):
        end = following
        if following < len(lines) and lines[end - 1].strip().isdigit() and end - 1 > place:
            end -= 1  # the next cue's number
        while end - 1 > place and not lines[end - 1].strip():
            end -= 1
        yield from _cue(place + 2, *_times_of(lines[place]), lines[place + 1 : end])
        yield "".join(lines[end : following + 1])


def _is_times(line: str, place: int) -> bool:
    if _TIMES.match(line):
        return True
    if _LIKE_TIMES.match(line):
        raise FileError(place + 1, "expected times such as 00:00:01,000 --> 00:00:02,000")
    return False


def _times_of(line: str) -> tuple[int, int]:
    [stamps] = _TIMES.findall(line)[:1]
    return _milliseconds(stamps[:4]), _milliseconds(stamps[4:])


def _webvtt(lines: Sequence[str]) -> Iterator[Cue | str]:
    if not lines or not re.match(r"\ufeff?WEBVTT(?:[ \t\r\n]|$)", lines[0]):
        raise FileError(1, "a WebVTT file must begin with WEBVTT")
    place = 0
    while place < len(lines):
        if "-->" not in lines[place]:
            yield lines[place]
            place += 1
            continue
        if not _TIMES.match(lines[place]):
            raise FileError(place + 1, "expected times such as 00:01.000 --> 00:02.000")
        end = place + 1
        while end < len(lines) and lines[end].strip("\r\n") and "-->" not in lines[end]:
            end += 1
        yield lines[place]
        yield from _cue(place + 2, *_times_of(lines[place]), lines[place + 1 : end])
        place = end


def _substation(lines: Sequence[str]) -> Iterator[Cue | str]:
    if not any(
        line.lstrip("\ufeff \t").startswith(("[Events]", "[Script Info]")) for line in lines
    ):
        raise FileError(1, "a SubStation file must have the section [Events]")
    fields = [*"Layer Start End Style Name MarginL MarginR MarginV Effect Text".split()]
    for place, line in enumerate(lines):
        key, _, rest = line.partition(":")
        if key.strip() == "Format" and "Text" in rest:
            fields = [field.strip() for field in rest.split(",")]
        if key.strip() != "Dialogue":
            yield line
            continue
        values = rest.split(",", len(fields) - 1)
        if len(values) < len(fields) or not {"Start", "End"} <= set(fields):
            raise FileError(place + 1, f"expected the {len(fields)} fields of the line Format")
        start, end = (_ASS_STAMP.fullmatch(values[fields.index(name)]) for name in ("Start", "End"))
        if start is None or end is None:
            raise FileError(place + 1, "expected times such as 0:00:01.00,0:00:02.00")
        yield line[: len(line) - len(values[-1])]
        if _NO_SPEECH.search(values[-1]):
            yield values[-1]
        else:
            times = _milliseconds(start.groups()), _milliseconds(end.groups())
            yield from _cue(place + 1, *times, [values[-1]])


def _plain(lines: Sequence[str]) -> Iterator[Cue | str]:
    for place, line in enumerate(lines):
        text = line.strip()
        before = line[: line.index(text)] if text else line
        yield before
        if text:
            yield Cue(place + 1, 0, 0, text)
            yield line[len(before) + len(text) :]


#: Ending of a file's name -> its parser, from lines to what stays and cues.
FORMS: dict[str, Callable[[Sequence[str]], Iterator[Cue | str]]] = {
    "srt": _subrip,
    "vtt": _webvtt,
    "ass": _substation,
    "ssa": _substation,
    "txt": _plain,
}
