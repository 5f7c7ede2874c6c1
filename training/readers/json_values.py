"""JSON values in sequence: the elements of an array, or values one after the other.

A file of JSON is read value by value, so that each has a line and a broken one costs no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from training.files.records import Fault

#: The line where a value begins, from 1, and the value.
Row = tuple[int, Any]

#: After so many broken values reading stops: finding each takes time that grows with the file.
MOST_BROKEN = 1000

_BETWEEN = re.compile(r"[\s,]*")


def values_of(text: str, origin: str) -> Iterator[Row | Fault]:
    """Yields the elements of the array in `text`, or else its values one after the other.

    After a broken value, reading continues at the next line that begins in the same way: with as
    much space and the same bracket. If there is none, the rest is lost.

    Args:
        text: the content of a file.
        origin: the file's name, for faults.
    """
    reader = _Reader(text, origin)
    start = len(text) - len(text.lstrip())
    reader.place = start + (text[start : start + 1] == "[")
    return reader.values()


def arrays_of(text: str, origin: str, key: str) -> Iterator[list[Row | Fault]]:
    """Yields the elements of each array that is named `key`, at any depth. Broken values are
    skipped as in `values_of`."""
    reader = _Reader(text, origin)
    # A match is never within a string: there, JSON has backslashes before quotation marks.
    name = re.compile(rf'"{re.escape(key)}"\s*:\s*\[')
    while found := name.search(text, reader.place):
        reader.place = found.end()
        yield list(reader.values())


class _Reader:
    """A reader with a place in a text, and the line of that place."""

    def __init__(self, text: str, origin: str) -> None:
        self.place = 0
        self._text = text
        self._origin = origin
        self._decode = json.JSONDecoder().raw_decode
        self._seen, self._line = 0, 1
        self._broken = 0

    def values(self) -> Iterator[Row | Fault]:
        """Yields the values from `place` on, up to a closing bracket or the end."""
        while True:
            between = _BETWEEN.match(self._text, self.place)
            start = self.place = between.end() if between else self.place
            if self._text[start : start + 1] in ("", "]", "}"):
                return
            line = self._line_of(start)
            try:
                value, self.place = self._decode(self._text, start)
            except (ValueError, RecursionError) as error:
                at, reason = start, str(error)
                if isinstance(error, json.JSONDecodeError):
                    at, reason = error.pos, error.msg
                self._broken += 1
                if self._broken == MOST_BROKEN:
                    reason += f". {MOST_BROKEN:,} values are broken: the rest is left out"
                yield Fault(f"{self._origin}:{self._line_of(at)}", f"not JSON: {reason}")
                if not self._pass_over(start):
                    return
            else:
                yield line, value

    def _pass_over(self, start: int) -> bool:
        """Moves to the next value that begins like a broken one; tells whether there is one."""
        if self._broken == MOST_BROKEN:
            self.place = len(self._text)
            return False
        border = self._text[self._text.rfind("\n", 0, start) + 1 : start + 1]
        following = -1 if border[:-1].strip() else self._text.find(f"\n{border}", start)
        self.place = following if following >= 0 else start + 1
        return following >= 0

    def _line_of(self, place: int) -> int:
        if place < self._seen:
            self._seen, self._line = 0, 1
        self._line += self._text.count("\n", self._seen, place)
        self._seen = place
        return self._line
