"""Subtitle files as cues, and back: SubRip, WebVTT, SubStation, and plain text, whose lines are
cues without times. Every character outside the text of a cue is kept.

Subtitle libraries do not keep them: pysubs2 rewrites times, headers and tags, and webvtt-py drops
everything between cues.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from model.errors import InputError

#: More than any film has; a file with this many cues has about 8 MB.
MAX_CUES = 100_000
#: More than anybody can read at once.
MAX_CUE_CHARACTERS = 5_000
#: Maximum length of a line of plain text, which may be a chapter.
MAX_LINE_CHARACTERS = 65_536

#: Some programs leave out the milliseconds or add a fraction to them.
_STAMP = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})(?:[,.](\d{1,3})(?:\.?\d{1,20})?)?"
_TIMES = re.compile(rf"[ \t\ufeff]*{_STAMP}[ \t]*-->[ \t]*{_STAMP}(?![\d:])")
_MALFORMED_TIMES = re.compile(r"[ \t]*\d+:[^\r\n]{0,40}--?>|[ \t]*--?>[ \t]*\d+:")
_ASS_STAMP = re.compile(r"\s*(\d{1,3}):(\d{1,2}):(\d{1,2})[.:](\d{1,3})\s*")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
#: Drawings, and syllables with their own times (karaoke).
_UNSPOKEN = re.compile(r"\{[^}]{0,500}\\(?:p[1-9]|[kK]|k[fot])\d?")


class FileError(InputError):
    """An unreadable file; the message names the line."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")


@dataclass(frozen=True)
class Cue:
    """A text and the time during which it is shown.

    Attributes:
        line: line of the file at which its text begins.
        start_ms, end_ms: start and end in milliseconds; both 0 in plain text.
        text: the raw text, with markup and line breaks, but without the last line break.
    """

    line: int
    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True)
class SubtitleFile:
    """A parsed file.

    Attributes:
        file_format: its format, a key of `FORMATS`.
        segments: unchanged text, and indices of `cues` in place of their texts.
        cues: the cues, in the order of the file.
    """

    file_format: str
    segments: tuple[str | int, ...]
    cues: tuple[Cue, ...]

    def render(self, texts: Sequence[str]) -> str:
        """Returns the file with `texts` in place of those of its cues."""
        return "".join(piece if isinstance(piece, str) else texts[piece] for piece in self.segments)


def format_of(name: str) -> str:
    """Returns the format of a file, given its name.

    Raises:
        InputError: if the extension is none of `FORMATS`.
    """
    suffix = PurePath(name).suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        known = ", ".join(f".{file_format}" for file_format in FORMATS)
        raise InputError(f"the file's name must end in one of {known}")
    return suffix


def parse_file(text: str, file_format: str) -> SubtitleFile:
    """Parses a file of the format `file_format`.

    Raises:
        FileError: if it is not in this format or exceeds a limit.
    """
    segments, cues = list[str | int](), list[Cue]()
    most = MAX_LINE_CHARACTERS if file_format == "txt" else MAX_CUE_CHARACTERS
    for piece in FORMATS[file_format](_lines_of(text)):
        if isinstance(piece, str):
            segments.append(piece)
            continue
        if len(cues) == MAX_CUES:
            raise FileError(piece.line, f"more than {MAX_CUES:,} cues")
        if len(piece.text) > most:
            raise FileError(piece.line, f"a text of more than {most:,} characters")
        segments.append(len(cues))
        cues.append(piece)
    return SubtitleFile(file_format, tuple(segments), tuple(cues))


def _lines_of(text: str) -> list[str]:
    """Returns the lines, including their ends (LF, CR LF or CR)."""
    return [line for line in _LINE.findall(text) if line]


def _strip_line_end(line: str) -> str:
    return line.rstrip("\r\n")


def _cue(line: int, start_ms: int, end_ms: int, lines: Sequence[str]) -> Iterator[Cue | str]:
    """Yields a cue of these lines, and the end of its last line."""
    text = "".join(lines)
    kept = _strip_line_end(text)
    if kept.strip():
        yield Cue(line, start_ms, end_ms, kept)
        yield text[len(kept) :]
    else:
        yield text


def _milliseconds(stamp: Sequence[str]) -> int:
    hours, minutes, seconds, fraction = stamp
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole * 1000 + int(fraction.ljust(3, "0"))


def _parse_subrip(lines: Sequence[str]) -> Iterator[Cue | str]:
    times = [index for index, line in enumerate(lines) if "->" in line and _is_times(line, index)]
    if not times:
        raise FileError(1, "no times in the file; expected 00:00:01,000 --> 00:00:02,000")
    for index, line in enumerate(lines[: times[0]]):
        if line.strip("\ufeff\r\n \t") and not line.strip("\ufeff\r\n \t").isdigit():
            raise FileError(index + 1, "text before the first time")
    yield "".join(lines[: times[0] + 1])
    for index, following in zip(times, [*times[1:], len(lines)], strict=True):
        end = following
        if following < len(lines) and lines[end - 1].strip().isdigit() and end - 1 > index:
            end -= 1  # the next cue's number
        while end - 1 > index and not lines[end - 1].strip():
            end -= 1
        yield from _cue(index + 2, *_times_of(lines[index]), lines[index + 1 : end])
        yield "".join(lines[end : following + 1])


def _is_times(line: str, index: int) -> bool:
    if _TIMES.match(line):
        return True
    if _MALFORMED_TIMES.match(line):
        raise FileError(index + 1, "expected times such as 00:00:01,000 --> 00:00:02,000")
    return False


def _times_of(line: str) -> tuple[int, int]:
    [stamps] = _TIMES.findall(line)[:1]
    return _milliseconds(stamps[:4]), _milliseconds(stamps[4:])


def _parse_webvtt(lines: Sequence[str]) -> Iterator[Cue | str]:
    if not lines or not re.match(r"\ufeff?WEBVTT(?:[ \t\r\n]|$)", lines[0]):
        raise FileError(1, "a WebVTT file must begin with WEBVTT")
    index = 0
    while index < len(lines):
        if "-->" not in lines[index]:
            yield lines[index]
            index += 1
            continue
        if not _TIMES.match(lines[index]):
            raise FileError(index + 1, "expected times such as 00:01.000 --> 00:02.000")
        end = index + 1
        while end < len(lines) and lines[end].strip("\r\n") and "-->" not in lines[end]:
            end += 1
        yield lines[index]
        yield from _cue(index + 2, *_times_of(lines[index]), lines[index + 1 : end])
        index = end


def _parse_substation(lines: Sequence[str]) -> Iterator[Cue | str]:
    if not any(
        line.lstrip("\ufeff \t").startswith(("[Events]", "[Script Info]")) for line in lines
    ):
        raise FileError(1, "a SubStation file must have the section [Events]")
    fields = [*"Layer Start End Style Name MarginL MarginR MarginV Effect Text".split()]
    for index, line in enumerate(lines):
        key, _, rest = line.partition(":")
        if key.strip() == "Format" and "Text" in rest:
            fields = [field.strip() for field in rest.split(",")]
        if key.strip() != "Dialogue":
            yield line
            continue
        values = rest.split(",", len(fields) - 1)
        if len(values) < len(fields) or not {"Start", "End"} <= set(fields):
            raise FileError(index + 1, f"expected the {len(fields)} fields of the line Format")
        start, end = (_ASS_STAMP.fullmatch(values[fields.index(name)]) for name in ("Start", "End"))
        if start is None or end is None:
            raise FileError(index + 1, "expected times such as 0:00:01.00,0:00:02.00")
        yield line[: len(line) - len(values[-1])]
        if _UNSPOKEN.search(values[-1]):
            yield values[-1]
        else:
            times = _milliseconds(start.groups()), _milliseconds(end.groups())
            yield from _cue(index + 1, *times, [values[-1]])


def _parse_plain(lines: Sequence[str]) -> Iterator[Cue | str]:
    for index, line in enumerate(lines):
        yield from _cue(index + 1, 0, 0, [line])


#: File extension -> parser, which turns lines into unchanged text and cues.
FORMATS: dict[str, Callable[[Sequence[str]], Iterator[Cue | str]]] = {
    "srt": _parse_subrip,
    "vtt": _parse_webvtt,
    "ass": _parse_substation,
    "ssa": _parse_substation,
    "txt": _parse_plain,
}
