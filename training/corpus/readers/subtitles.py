"""Subtitles to dialogue: cues -> turns, turns -> exchanges, at a basic level."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pysubs2
from charset_normalizer import from_bytes

from training.corpus.files import read_bytes
from training.corpus.readers.conversations import exchanges_of
from training.corpus.records import Example, Fault

#: A silence of this length ends a scene: what follows answers nothing before it.
SCENE_PAUSE_MS = 4000
#: Cues closer than this are one turn, if the first does not end a sentence.
TURN_PAUSE_MS = 500

_NOTE = re.compile(r"\[[^\]]*\]|\([^)]*\)|♪[^♪]*♪?|#[^#]*#")
_SPEAKER_LABEL = re.compile(r"^[A-Z][A-Za-z.' ]{0,20}:\s+")
_DASH = re.compile(r"^\s*[-–—]\s*")
_ADVERT = re.compile(r"www\.|https?://|subtitles? by|downloaded from|sync(ed)? by", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.?!…\"')]$")

Records = Iterator[Example | Fault]


def read_subtitles(path: Path) -> Records:
    """Exchanges of a `.srt`, `.vtt`, `.ass` or `.ssa` file in any encoding. Its film is the group;
    `origin` is the file and the second at which the reply begins."""
    try:
        cues = pysubs2.SSAFile.from_string(_decode(read_bytes(path)))
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        yield Fault(str(path), f"not a subtitle file: {error}")
        return
    for scene in _scenes(cues):
        yield from exchanges_of(scene, group=str(path), origin=str(path))


def _decode(content: bytes) -> str:
    match = from_bytes(content).best()
    if match is None:
        raise ValueError("its encoding is not known")
    return str(match)


def _scenes(cues: pysubs2.SSAFile) -> Iterator[list[tuple[int, str]]]:
    """Turns of each scene, with the second at which each begins."""
    scene: list[tuple[int, str]] = []
    last_end, is_open = 0, False
    for cue in sorted(cues, key=lambda each: each.start):
        if cue.is_comment or _ADVERT.search(cue.plaintext):
            continue
        if scene and cue.start - last_end > SCENE_PAUSE_MS:
            yield scene
            scene, is_open = [], False
        for text, is_new_speaker in _speeches(cue.plaintext):
            goes_on = is_open and not is_new_speaker and cue.start - last_end < TURN_PAUSE_MS
            if goes_on and scene:
                scene[-1] = (scene[-1][0], f"{scene[-1][1]} {text}")
            else:
                scene.append((cue.start // 1000, text))
            is_open = not _SENTENCE_END.search(text)
        last_end = max(last_end, cue.end)
    if scene:
        yield scene


def _speeches(text: str) -> Iterator[tuple[str, bool]]:
    """What each speaker of a cue says, and whether a dash or a label marks a new one."""
    speeches: list[tuple[str, bool]] = []
    for line in _NOTE.sub(" ", text).split("\n"):
        without_dash = _DASH.sub("", line)
        plain = _SPEAKER_LABEL.sub("", without_dash).strip()
        is_marked = plain != line.strip()
        if not plain:
            continue
        if speeches and not is_marked:
            speeches[-1] = (f"{speeches[-1][0]} {plain}", speeches[-1][1])
        else:
            speeches.append((plain, is_marked))
    yield from speeches
