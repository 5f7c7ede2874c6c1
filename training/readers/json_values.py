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
MAX_BROKEN = 1000

_SEPARATOR = re.compile(r"[\s,]*")


def values_of(text: str, origin: str) -> Iterator[Row | Fault]:
    """Yields the elements of the array in `text`, or else its values one after the other.

    After a broken value, reading continues at the next line that begins in the same way: with as
    much space and the same bracket. If there is none, the rest is lost. `origin` is the file.
    """
    scanner = _Scanner(text, origin)
    start = len(text) - len(text.lstrip())
    scanner.place = start + (text[start : start + 1] == "[")
    return scanner.values()


def arrays_of(text: str, origin: str, key: str) -> Iterator[list[Row | Fault]]:
    """Yields the elements of each array that is named `key`, at any depth. Broken values are
    skipped as in `values_of`."""
    scanner = _Scanner(text, origin)
    # A match is never within a string: there, JSON has backslashes before quotation marks.
    name = re.compile(rf'"{re.escape(key)}"\s*:\s*\[')
    while found := name.search(text, scanner.place):
        scanner.place = found.end()
        yield list(scanner.values())


class _Scanner:
    """A scanner of a text, with its place and the line of that place."""

    def __init__(self, text: str, origin: str) -> None:
        self.place = 0
        self._text = text
        self._origin = origin
        self._decode = json.JSONDecoder().raw_decode
        self._counted_to, self._line = 0, 1
        self._broken = 0

    def values(self) -> Iterator[Row | Fault]:
        """Yields the values from `place` on, up to a closing bracket or the end."""
        while True:
            separator = _SEPARATOR.match(self._text, self.place)
            start = self.place = separator.end() if separator else self.place
            if self._text[start : start + 1] in ("", "]", "}"):
                return
            line = self._line_of(start)
            try:
                value, self.place = self._decode(self._text, start)
            except (ValueError, RecursionError) as error:
                error_place, reason = start, str(error)
                if isinstance(error, json.JSONDecodeError):
                    error_place, reason = error.pos, error.msg
                self._broken += 1
                if self._broken == MAX_BROKEN:
                    reason += f". {MAX_BROKEN:,} values are broken: the rest is left out"
                yield Fault(f"{self._origin}:{self._line_of(error_place)}", f"not JSON: {reason}")
                if not self._skip_broken(start):
                    return
            else:
                yield line, value

    def _skip_broken(self, start: int) -> bool:
        """Moves to the next value that begins like a broken one; tells whether there is one."""
        if self._broken == MAX_BROKEN:
            self.place = len(self._text)
            return False
        line_start = self._text[self._text.rfind("\n", 0, start) + 1 : start + 1]
        next_start = -1 if line_start[:-1].strip() else self._text.find(f"\n{line_start}", start)
        self.place = next_start if next_start >= 0 else start + 1
        return next_start >= 0

    def _line_of(self, place: int) -> int:
        if place < self._counted_to:
            self._counted_to, self._line = 0, 1
        self._line += self._text.count("\n", self._counted_to, place)
        self._counted_to = place
        return self._line
