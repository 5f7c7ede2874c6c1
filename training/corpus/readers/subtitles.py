"""Subtitles to dialogue: cues -> turns, turns -> exchanges, at a basic level."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pysubs2
from charset_normalizer import from_bytes

from training.corpus.files import read_bytes
from training.corpus.readers.dialogue import exchanges_of
from training.corpus.records import Fault, Records
from training.errors import CorpusError

#: A silence of this length ends a scene: what follows answers nothing before it.
SCENE_PAUSE_MS = 4000
#: Cues closer than this are one turn, if the first does not end a sentence.
TURN_PAUSE_MS = 500
#: So few other bytes are the dashes and quotes of a Western text: too little to guess by.
NEARLY_ASCII = 0.005

_NOTE = re.compile(r"\[[^\]]*\]|\([^)]*\)|♪[^♪]*♪?|^#.*#$", re.MULTILINE)
#: `MAN 2:`, `Anna:`, `Mrs. Smith:`; but not `Here is the thing:`.
_SPEAKER_LABEL = re.compile(r"^([A-Z][A-Z0-9.' ]{0,20}|[A-Z][\w.']*( [A-Z][\w.']*)?):\s+")
_DASH = re.compile(r"^\s*[-\u2010-\u2015]\s*")
_ADVERT = re.compile(r"www\.|https?://|subtitles? by|downloaded from|sync(ed)? by", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.?!…\"')]$")


@dataclass(frozen=True)
class Turn:
    """What one person says at a time.

    Attributes:
        start, end: of its cues, in milliseconds.
        text: without tags, notes and speaker labels.
        is_open: whether its last cue ends within a sentence.
    """

    start: int
    end: int
    text: str
    is_open: bool


def read_subtitles(path: Path) -> Records:
    """Exchanges of a `.srt`, `.vtt`, `.ass` or `.ssa` file in any encoding. Its film is the group;
    `origin` is the file and the second at which the reply begins."""
    try:
        for scene in read_scenes(path):
            turns = ((turn.start // 1000, turn.text) for turn in scene)
            yield from exchanges_of(turns, group=str(path), origin=str(path))
    except CorpusError as error:
        yield Fault(f"{path}:1", str(error))


def read_scenes(
    path: Path, *, scene_pause: int = SCENE_PAUSE_MS, turn_pause: int = TURN_PAUSE_MS
) -> Iterator[list[Turn]]:
    """The turns of each scene of a subtitle file.

    Args:
        path: the file.
        scene_pause: milliseconds of silence that end a scene.
        turn_pause: cues closer than this are one turn, if the first does not end a sentence.

    Raises:
        CorpusError: if it is no subtitle file.
    """
    try:
        cues = pysubs2.SSAFile.from_string(_decode(read_bytes(path)))
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise CorpusError(f"not a subtitle file: {error}") from None
    yield from _scenes(cues, scene_pause, turn_pause)


def _decode(content: bytes) -> str:
    """UTF-8 if it can be; cp1252 if it is nearly ASCII; else what its bytes look like most."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        others = sum(byte >= 0x80 or byte == 0 for byte in content)
    if others < NEARLY_ASCII * len(content):
        return content.decode("cp1252", errors="replace")
    matches = list(from_bytes(content))
    if not matches:
        raise ValueError("its encoding is not known")
    # Of guesses that are as good as the first, the most common encoding counts.
    first = (matches[0].chaos, matches[0].coherence)
    equal = [match for match in matches if (match.chaos, match.coherence) == first]
    return str(next((match for match in equal if match.encoding == "cp1252"), equal[0]))


def _scenes(cues: pysubs2.SSAFile, scene_pause: int, turn_pause: int) -> Iterator[list[Turn]]:
    scene: list[Turn] = []
    last_end = 0
    for cue in sorted(cues, key=lambda each: each.start):
        if cue.is_comment or _ADVERT.search(cue.plaintext):
            continue
        if scene and cue.start - last_end > scene_pause:
            yield scene
            scene = []
        for text, is_new_speaker in _speeches(cue.plaintext):
            start = cue.start
            if (
                scene
                and scene[-1].is_open
                and not is_new_speaker
                and cue.start - last_end < turn_pause
            ):
                begun = scene.pop()
                start, text = begun.start, f"{begun.text} {text}"
            scene.append(Turn(start, cue.end, text, not _SENTENCE_END.search(text)))
        last_end = max(last_end, cue.end)
    if scene:
        yield scene


def _speeches(text: str) -> Iterator[tuple[str, bool]]:
    """What each speaker of a cue says, and whether a dash or a label marks a new one."""
    speeches: list[tuple[str, bool]] = []
    for line in map(str.strip, _NOTE.sub(" ", text).split("\n")):
        without_dash = _DASH.sub("", line)
        plain = _SPEAKER_LABEL.sub("", without_dash).strip()
        is_marked = plain != line
        if not plain:
            continue
        if speeches and not is_marked:
            speeches[-1] = (f"{speeches[-1][0]} {plain}", speeches[-1][1])
        else:
            speeches.append((plain, is_marked))
    yield from speeches
