"""Segments of cues: the words of one speaker in one cue, up to the end of a sentence.

A cue that ends one sentence and begins the next has two segments, which share its time in
proportion to their characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from model.text.sentences import is_ended, sentences_of
from training.files.records import Cue
from training.subtitles.speech import is_advert, speeches_of

_CLAUSE = re.compile(r"[,;:\u2010-\u2015،，、；：-][\"'”’»)\]」』]*$")
#: One word of a clause after the border: `a machine like | this, then`
_LAST_CLAUSE_WORD = re.compile(r"[\w'’]+[,;:،，、；：]\s")
_DOTS = ("...", "…")


class Ending(IntEnum):
    """The unit that ends with a segment, judged by punctuation."""

    NOTHING = 0
    CLAUSE = 1  # by a comma, also one word later, or a capital letter after it
    SENTENCE = 2


@dataclass(frozen=True)
class Segment:
    """A part of a cue.

    Attributes:
        start, end: in seconds.
        text: on one line.
        ending: the unit that ends with it; a sentence also ends before another speaker.
        line: of the file, the one with its cue's time.
    """

    start: float
    end: float
    text: str
    ending: Ending
    line: int


def segments_of(cues: Iterable[Cue]) -> list[Segment]:
    """Returns the segments of a file in order of time; adverts, notes and songs have none."""
    in_order = sorted(cues, key=lambda cue: cue.start_ms)
    parts = [part for cue in in_order if not is_advert(cue.text) for part in _parts_of(cue)]
    return [
        Segment(part.start, part.end, part.text, _ending(part, after), part.line)
        for part, after in pairwise([*parts, None])
        if part
    ]


@dataclass(frozen=True)
class _Part:
    start: float
    end: float
    text: str
    line: int
    is_marked: bool  # another speaker than before


def _parts_of(cue: Cue) -> Iterator[_Part]:
    parts = [
        (sentence, speech.is_marked and index == 0 and _begins_sentence(sentence))
        for speech in speeches_of(cue)
        for index, sentence in enumerate(sentences_of(speech.text))
    ]
    characters = sum(len(text) for text, _ in parts)
    start = cue.start_ms / 1000
    for text, is_marked in parts:
        end = start + (cue.end_ms - cue.start_ms) / 1000 * len(text) / characters
        yield _Part(start, end, text, cue.line, is_marked)
        start = end


def _begins_sentence(sentence: str) -> bool:
    """Tells whether a sentence begins after a dash, which may be within one, or a minus sign."""
    return not sentence[0].islower() and not sentence[0].isdigit()


def _ending(part: _Part, after: _Part | None) -> Ending:
    if after and after.is_marked:
        return Ending.SENTENCE
    is_continued = (
        after and part.text.endswith(_DOTS) and (after.text[0].islower() or after.text[0] in ".…")
    )
    if is_ended(part.text) and not is_continued:
        return Ending.SENTENCE
    is_clause = _CLAUSE.search(part.text) or (after and _follows_clause(after.text))
    return Ending.CLAUSE if is_clause else Ending.NOTHING


def _follows_clause(text: str) -> bool:
    """Tells whether text begins with a capital letter, or one word before a new clause."""
    is_capitalised = text[0].isupper() and text[1:2].islower()
    return is_capitalised or bool(_LAST_CLAUSE_WORD.match(text))
