"""Removal of repeated words from captions that roll up or grow. Pure functions.

Live and automatic captions repeat their last lines while the next one appears below (roll-up of
CEA-608, automatic captions of video sites), or repeat a line with one more word. A film does not:
its second `No.` is spoken. So `unrolled` decides first whether the captions of a file roll; only
then does it remove what was on the screen just before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from training.files.records import Cue

#: Captions roll if at least so many screens, and this share, begin with the end of the one before
#: and continue; frozen screens, which show nothing new, do not count.
MIN_ROLLED = 2
MIN_SHARE = 0.3
#: So many equal words are no coincidence, even if no line of the screen before begins with them.
MIN_OVERLAP_WORDS = 3
#: No screen has more words; the time must not grow with the square of a damaged cue.
MAX_OVERLAP_WORDS = 200

#: Marks of a change of speakers at the start of a line.
DASHES = tuple("-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")

_ARROWS = re.compile(">>+")
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class _Screen:
    """The cues on screen at one time, from one place in the file.

    Attributes:
        cues: one for each voice or colour.
        words: of all lines.
        line_starts: indices in `words` at which a line begins.
    """

    cues: tuple[Cue, ...]
    words: tuple[str, ...]
    line_starts: frozenset[int]

    @property
    def start_ms(self) -> int:
        return self.cues[0].start_ms

    @property
    def end_ms(self) -> int:
        return self.cues[0].end_ms


def unrolled(cues: Sequence[Cue | None], pause_ms: int) -> list[Cue | None] | None:
    """Returns the cues of a file whose captions roll, each with only its new words; None if they do
    not roll. A cue without new words is left out, and the one before it lasts as long.

    Args:
        cues: in order of time; None for one that could not be read.
        pause_ms: a screen that begins more than this after the one before repeats nothing.
    """
    screens = list(_screens_of(cues))
    rolled, new = _count(screens, pause_ms, by_letters=False)
    grown, new_in_letters = _count(screens, pause_ms, by_letters=True)
    # Words grow too where many more screens add letters than words.
    by_letters = _is_frequent(grown - rolled, new_in_letters)
    if not by_letters and not _is_frequent(rolled, new):
        return None
    kept: list[Cue | None] = []
    before: _Screen | None = None
    for screen in screens:
        if screen is None:
            kept.append(None)
            before = None
            continue
        shown = _overlap(before, screen, pause_ms, by_letters) if before else 0
        last = kept[-1] if kept else None
        if shown and before and last:
            end = max(last.end_ms, screen.end_ms) if shown == len(screen.words) else last.end_ms
            kept[-1] = replace(
                last,
                end_ms=end,
                text=_with_grown_word(last.text, before.words[-1], screen.words[shown - 1]),
            )
        kept.extend(_without_words(screen.cues, shown - _count_marks(screen, shown)))
        before = screen
    return kept


def _screens_of(cues: Sequence[Cue | None]) -> Iterator[_Screen | None]:
    for place, group in groupby(cues, key=lambda cue: cue and (cue.start_ms, cue.end_ms, cue.line)):
        if place is None:
            yield from (None for _ in group)
            continue
        parts = tuple(cue for cue in group if cue)
        words: list[str] = []
        line_starts = set()
        for line in "\n".join(cue.text for cue in parts).split("\n"):
            line_starts.add(len(words))
            words += line.split()
        if words:
            yield _Screen(parts, tuple(words), frozenset(line_starts))


def _is_frequent(rolled: int, new: int) -> bool:
    return rolled >= MIN_ROLLED and rolled >= MIN_SHARE * (rolled + new)


def _count(screens: list[_Screen | None], pause_ms: int, *, by_letters: bool) -> tuple[int, int]:
    """Counts the screens that continue the one before, and those that are all new."""
    rolled, new = 0, 0
    for before, screen in pairwise(screens):
        if before is None or screen is None:
            continue
        shown = _overlap(before, screen, pause_ms, by_letters)
        new += not shown
        if shown < len(screen.words) or screen.words[shown - 1] != before.words[-1]:
            rolled += shown > 0
    return rolled, new


def _overlap(screen_before: _Screen, screen: _Screen, pause_ms: int, by_letters: bool) -> int:
    """Counts the first words of a screen with which the one before ends, from one of its line
    starts, or at least `MIN_OVERLAP_WORDS`; 0 after a pause.

    With `by_letters`, the last of them may have grown.
    """
    if screen.start_ms > screen_before.end_ms + pause_ms:
        return 0
    before, words = screen_before.words, screen.words
    first = max(0, len(before) - min(len(words), MAX_OVERLAP_WORDS))
    for start in range(first, len(before)):
        count = len(before) - start
        if count > 1 and before[start] != words[0]:
            continue
        if before[start : len(before) - 1] != words[: count - 1]:
            continue
        last, now = before[-1], words[count - 1]
        is_same = last == now or (by_letters and now.startswith(last))
        if is_same and (start in screen_before.line_starts or count >= MIN_OVERLAP_WORDS):
            return count
    return 0


def _count_marks(screen: _Screen, shown: int) -> int:
    """Returns 1 if the last word shown before is the mark of a change of speakers, else 0."""
    place = shown - 1
    if not 0 <= place < len(screen.words) - 1:
        return 0
    word = screen.words[place]
    return int(bool(_ARROWS.fullmatch(word)) or (place in screen.line_starts and word in DASHES))


def _with_grown_word(text: str, word: str, now: str) -> str:
    """Returns a text whose last word has grown."""
    return text[: -len(word)] + now if word != now and text.endswith(word) else text


def _without_words(cues: tuple[Cue, ...], count: int) -> Iterator[Cue]:
    """Yields the cues of a screen without its first `count` words."""
    for cue in cues:
        words = list(_WORD.finditer(cue.text))
        if count < len(words):
            yield replace(cue, text=cue.text[words[count].start() :])
        count = max(0, count - len(words))
