"""Turns of a film's dialogue from its cues: pure functions, no file.

A cue shows what fits on the screen: a part of a sentence, several sentences, or the words of two
people. The signs of a new turn differ from file to file, so the meaning of a file's pauses and full
stops is determined first (`Habits`), and whether its captions roll up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from model.text.sentences import is_ended, is_question
from training.files.records import Cue, Fault
from training.subtitles.labels import labels_of
from training.subtitles.rolling import unrolled
from training.subtitles.speech import Speech, is_advert, join_texts, speeches_of

#: Fewer questions are not enough to judge a file.
MIN_QUESTIONS = 5
#: If at most this share of questions is followed at once, the file has pauses between speakers.
MAX_IMMEDIATE_SHARE = 0.1
#: If a smaller share of cues ends a sentence, the file does not use full stops.
MIN_ENDED_SHARE = 0.3
#: If this share of sentences in rolling captions ends in a pause, pauses separate speakers.
MIN_PAUSED_SHARE = 0.2
#: If at least so many cues have the mark of live captions, the file uses it; one may be a mistake.
MIN_MARKED_CUES = 2
DOTS = ("...", "…")

_ARROWS = re.compile(r"(?:^|\s)>>")


@dataclass(frozen=True)
class Pauses:
    """Silences between turns and between scenes.

    Attributes:
        turn_ms: cues closer than this can be one turn.
        scene_ms: a longer silence ends a scene.
    """

    turn_ms: int = 250
    scene_ms: int = 4000

    @classmethod
    def of_seconds(cls, *, turn: float, scene: float) -> Pauses:
        """Returns pauses that are given in seconds."""
        return cls(turn_ms=round(1000 * turn), scene_ms=round(1000 * scene))


DEFAULT_PAUSES = Pauses()


@dataclass(frozen=True)
class Turn:
    """A turn of one speaker.

    Attributes:
        start_ms, end_ms: of its cues, in milliseconds.
        text: without markup, notes and labels, on one line.
        speaker: the name, if the file has it.
        colour: of the text, if colours identify speakers.
    """

    start_ms: int
    end_ms: int
    text: str
    speaker: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Habits:
    """Conventions of a file's author.

    Attributes:
        separates_speakers_by_pauses: cues without a pause between them are of one speaker. This is
            not so in files that show each cue until the next.
        ends_sentences: a complete sentence ends in a full stop. Some files, such as many Chinese
            ones, do not use full stops.
        marks_speakers: each change of speakers has a mark or a pause, like `>>` in live captions;
            text without either is the same speaker's, even after a full stop.
    """

    separates_speakers_by_pauses: bool
    ends_sentences: bool
    marks_speakers: bool = False


def scenes_of(
    found: Iterable[Cue | Fault], pauses: Pauses = DEFAULT_PAUSES
) -> Iterator[list[Turn]]:
    """Yields the turns of each scene. A scene also ends at a cue that could not be read.

    Args:
        found: the cues of one file, in any order; a fault belongs after the cue before it.
        pauses: the silences that end turns and scenes.
    """
    shown = _sort_by_time(found)
    new = unrolled(shown, pauses.turn_ms)
    cues = [
        cue for cue in (shown if new is None else new) if cue is None or not is_advert(cue.text)
    ]
    habits = habits_of([cue for cue in cues if cue], pauses, rolls=new is not None)
    labels = labels_of(cue for cue in cues if cue)
    scene: list[Turn] = []
    last_end = 0
    for cue in cues:
        if scene and (cue is None or cue.start_ms - last_end > pauses.scene_ms):
            yield scene
            scene = []
        if cue is None:
            continue
        is_close = cue.start_ms - last_end < pauses.turn_ms
        for number, speech in enumerate(speeches_of(cue, labels)):
            if scene and cue.colour != scene[-1].colour:
                speech = replace(speech, is_marked=True)
            if number or not (is_close and scene and _is_repeated(scene[-1], speech, cue)):
                _add_speech(scene, speech, cue, is_close or number > 0, habits)
            else:
                scene[-1] = replace(scene[-1], end_ms=max(scene[-1].end_ms, cue.end_ms))
        last_end = max(last_end, cue.end_ms)
    if scene:
        yield scene


def habits_of(cues: list[Cue], pauses: Pauses = DEFAULT_PAUSES, *, rolls: bool = False) -> Habits:
    """Returns the meaning of pauses, full stops and marks in a file.

    A question is usually answered by somebody else. If hardly any question is followed at once, the
    file leaves a pause between speakers.

    Args:
        cues: of one file, in order of time.
        pauses: the silences that end turns and scenes.
        rolls: the captions roll.
    """
    texts = [cue.text.rstrip() for cue in cues]
    gaps = [second.start_ms - first.end_ms for first, second in pairwise(cues)]
    after_questions = [
        gap
        for text, gap in zip(texts, gaps, strict=False)
        if is_question(text) and gap <= pauses.scene_ms
    ]
    immediate = sum(gap < pauses.turn_ms for gap in after_questions)
    ended = [is_ended(text) for text in texts]
    paused = sum(end and gap >= pauses.turn_ms for end, gap in zip(ended, gaps, strict=False))
    ends_sentences = sum(ended) >= MIN_ENDED_SHARE * len(texts)
    marked = sum(bool(_ARROWS.search(text)) for text in texts)
    rolled_speakers_marked = (
        marked > 0 or not ends_sentences or paused >= MIN_PAUSED_SHARE * sum(ended)
    )
    return Habits(
        separates_speakers_by_pauses=len(after_questions) >= MIN_QUESTIONS
        and immediate <= MAX_IMMEDIATE_SHARE * len(after_questions),
        ends_sentences=ends_sentences,
        marks_speakers=marked >= MIN_MARKED_CUES or (rolls and rolled_speakers_marked),
    )


def _add_speech(
    scene: list[Turn], speech: Speech, cue: Cue, is_close: bool, habits: Habits
) -> None:
    """Adds a speech to the turn that it belongs to, or as a new one."""
    last = scene[-1] if scene else None
    if last and is_close and _continues_turn(last, speech, habits):
        text = join_texts(last.text, speech.text)
        scene[-1] = replace(last, end_ms=max(last.end_ms, cue.end_ms), text=text)
    else:
        scene.append(Turn(cue.start_ms, cue.end_ms, speech.text, speech.speaker, cue.colour))


def _is_repeated(last: Turn, speech: Speech, cue: Cue) -> bool:
    """Tells whether a cue begins with the text that is on the screen or just was, in a second layer
    or rolling up.

    With a mark or another name, and not at the same time, somebody else repeats it.
    """
    if speech.text != last.text:
        return False
    names_speaker = speech.is_marked or speech.speaker != last.speaker
    return cue.start_ms < last.end_ms or not names_speaker


def _continues_turn(last: Turn, speech: Speech, habits: Habits) -> bool:
    if speech.is_marked or (speech.speaker and speech.speaker != last.speaker):
        return bool(speech.speaker) and speech.speaker == last.speaker
    if habits.separates_speakers_by_pauses or habits.marks_speakers:
        return True
    return habits.ends_sentences and (
        not is_ended(last.text) or _continues_sentence(last.text, speech.text)
    )


def _continues_sentence(first: str, second: str) -> bool:
    """Tells whether three dots divide one sentence: `It was fine...` `until today.`"""
    return first.endswith(DOTS) and (second.startswith(DOTS) or second[0].islower())


def _sort_by_time(found: Iterable[Cue | Fault]) -> list[Cue | None]:
    """Returns the cues by their start; None for one that could not be read. A cue that a joined
    file has twice at the same time is there once."""
    timed: list[tuple[int, Cue | None]] = []
    lines: dict[Cue, int] = {}
    for each in found:
        if isinstance(each, Cue):
            if lines.setdefault(replace(each, line=0), each.line) == each.line:
                timed.append((each.start_ms, each))
        else:
            timed.append((timed[-1][0] if timed else 0, None))
    return [cue for _, cue in sorted(timed, key=lambda pair: pair[0])]
