"""Stop sequences. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Sequence


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """Returns `text` up to the first stop sequence in it, or all of it."""
    starts = [start for stop in stops if (start := text.find(stop)) >= 0]
    return text[: min(starts)] if starts else text


class StopFilter:
    """Filter for streamed text that ends it at the first stop sequence. It holds back text that may
    be the beginning of one.

    Args:
        stops: the stop sequences, none empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._text = ""
        self._sent = 0

    def add(self, further: str) -> str:
        """Adds text and returns the text that can be shown now."""
        self._text += further
        cut = cut_at_stop(self._text, self._stops)
        end = len(cut) if len(cut) < len(self._text) else len(cut) - self._partial_length(cut)
        return self._send(cut, end)

    def finish(self) -> str:
        """Returns the text that was held back, at the end of the text."""
        cut = cut_at_stop(self._text, self._stops)
        return self._send(cut, len(cut))

    def _send(self, text: str, end: int) -> str:
        shown = text[self._sent : end]
        self._sent = max(self._sent, end)
        return shown

    def _partial_length(self, text: str) -> int:
        """Returns the length of the longest suffix of `text` that begins a stop sequence."""
        longest = max(map(len, self._stops), default=1) - 1
        lengths = range(min(longest, len(text)), 0, -1)
        return next((n for n in lengths if any(s.startswith(text[-n:]) for s in self._stops)), 0)
