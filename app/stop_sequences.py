"""Texts at which a reply ends. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Sequence


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """Returns `text` up to the first of `stops` in it, or all of it."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places)] if places else text


class StopFilter:
    """Passes on a text that arrives bit by bit, up to the first stop sequence. What may be the
    begin of one is held back.

    Args:
        stops: the sequences, none empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._text = ""
        self._passed = 0

    def add(self, further: str) -> str:
        """Returns what can be shown now that `further` has come."""
        self._text += further
        cut = cut_at_stop(self._text, self._stops)
        end = len(cut) if len(cut) < len(self._text) else len(cut) - self._held(cut)
        return self._pass(cut, end)

    def rest(self) -> str:
        """Returns what was held back, at the end of the text."""
        cut = cut_at_stop(self._text, self._stops)
        return self._pass(cut, len(cut))

    def _pass(self, text: str, end: int) -> str:
        shown = text[self._passed : end]
        self._passed = max(self._passed, end)
        return shown

    def _held(self, text: str) -> int:
        """Returns the length of the longest end of `text` that a stop sequence begins with."""
        longest = max(map(len, self._stops), default=1) - 1
        lengths = range(min(longest, len(text)), 0, -1)
        return next((n for n in lengths if any(s.startswith(text[-n:]) for s in self._stops)), 0)
