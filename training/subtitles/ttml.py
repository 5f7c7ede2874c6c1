"""Reader of TTML, also known as DFXP (https://www.w3.org/TR/ttml2/).

The times of an element are relative to those of the element around it. Styles are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from training.files.records import Cue, Fault
from training.readers.xml import Handler, parse_xml

#: Text in these elements is not shown.
_NOT_SHOWN = frozenset({"head", "metadata", "title", "desc", "copyright"})
#: Parts of ruby that tell how a word is read.
_READINGS = frozenset({"text", "textContainer", "delimiter"})
#: The start of a document in this format.
TTML_START = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:\w+:)?tt[\s>]", re.DOTALL)
_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)(?::(\d+(?:\.\d+)?))?")
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|f|t)")
#: Frames a second of a document that does not declare them.
_FRAME_RATE = 30.0


@dataclass
class _Element:
    """An open element.

    Attributes:
        start: seconds from the beginning of the film.
        end: the same, as far as it is known.
        is_shown: whether its text is.
        cue: line of its time, if it is a cue; else 0.
        speaker: the agent that says it, if the document tells.
        text: of the cue so far, with line breaks.
    """

    start: float = 0.0
    end: float | None = None
    is_shown: bool = True
    cue: int = 0
    speaker: str = ""
    text: str = ""


def parse_ttml(text: str, origin: str) -> Iterator[Cue | Fault]:
    """Yields the cues of a document, in its order; a cue without readable times is a fault of
    `origin`, its file."""
    return parse_xml([text], _Cues(origin), "TTML", origin)


class _Cues(Handler[Cue | Fault]):
    """Collects the cues: paragraphs, and spans with times of their own."""

    def __init__(self, origin: str) -> None:
        super().__init__()
        self._origin = origin
        self._elements = [_Element()]
        self._seconds = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

    def start(self, name: str, attributes: dict[str, str], line: int) -> None:
        name = _local(name)
        values = {_local(key): value for key, value in attributes.items()}
        around = self._elements[-1]
        element = _Element(around.start, around.end, around.is_shown and name not in _NOT_SHOWN)
        self._elements.append(element)
        if name == "tt":
            self._read_rates(values)
        if values.get("ruby") in _READINGS:
            element.is_shown = False
        if name == "br":
            self._show("\n")
        try:
            self._read_times(element, values)
        except ValueError as error:
            self.found.append(Fault(f"{self._origin}:{line}", str(error)))
            element.is_shown = False
        if name == "p" or (name == "span" and "begin" in values):
            element.cue, element.speaker = line, values.get("agent", "")

    def end(self, name: str) -> None:
        element = self._elements.pop()
        text = "\n".join(" ".join(line.split()) for line in element.text.split("\n")).strip()
        if not element.cue or not text:
            return
        if element.end is None or element.end < element.start:
            reason = "has no end" if element.end is None else "ends before it starts"
            self.found.append(Fault(f"{self._origin}:{element.cue}", reason))
            return
        start, end = round(1000 * element.start), round(1000 * element.end)
        self.found.append(Cue(start, end, text, element.cue, element.speaker))

    def text(self, text: str) -> None:
        self._show(text.replace("\n", " "))

    def _show(self, text: str) -> None:
        """Appends a text to the innermost cue that is open."""
        cue = next((each for each in reversed(self._elements) if each.cue), None)
        if cue and self._elements[-1].is_shown:
            cue.text += text

    def _read_rates(self, values: dict[str, str]) -> None:
        """Reads the duration of a frame and of a tick."""
        multiplier = [float(each) for each in values.get("frameRateMultiplier", "1 1").split()]
        frames = float(values.get("frameRate", _FRAME_RATE)) * multiplier[0] / multiplier[-1]
        ticks = float(values.get("tickRate", frames if "frameRate" in values else 1.0))
        self._seconds |= {"f": 1.0 / frames, "t": 1.0 / ticks}

    def _read_times(self, element: _Element, values: dict[str, str]) -> None:
        """Sets the times of an element, which are now those of the element around it. Raises
        ValueError if they cannot be read."""
        around = element.start
        if "begin" in values:
            element.start = around + self._seconds_of(values["begin"])
        if "end" in values:
            element.end = around + self._seconds_of(values["end"])
        elif "dur" in values:
            element.end = element.start + self._seconds_of(values["dur"])

    def _seconds_of(self, time: str) -> float:
        if clock := _CLOCK.fullmatch(time.strip()):
            hours, minutes, seconds, frames = clock.groups(default="0")
            whole = 3600.0 * int(hours) + 60.0 * int(minutes) + float(seconds)
            return whole + float(frames) * self._seconds["f"]
        if offset := _OFFSET.fullmatch(time.strip()):
            return float(offset[1]) * self._seconds[offset[2]]
        raise ValueError(f"expected a time such as 00:00:01.000 or 1.5s, not {time[:40]!r}")


def _local(name: str) -> str:
    """Returns a name without its prefix."""
    return name.rpartition(":")[2]
