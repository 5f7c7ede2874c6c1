"""Reader of dialogue in subtitles: scenes of a film, and exchanges between turns of a scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.errors import CorpusError
from training.files.archives import plain_name
from training.files.records import Fault, Records, fault_of
from training.readers.dialogue import exchanges_of
from training.subtitles import bilingual
from training.subtitles.cues import read_cues
from training.subtitles.opensubtitles import film_of, read_opus_cues
from training.subtitles.turns import DEFAULT_PAUSES, Pauses, Turn, scenes_of

TWO_LANGUAGES = "shows two languages in many cues; keep_language keeps the lines in one of them"


def read_subtitles(path: Path, pauses: Pauses = DEFAULT_PAUSES, keep_language: str = "") -> Records:
    """Reads the exchanges of a subtitle file in any encoding. Its film is the group; `origin` is
    the file and the second at which the reply begins. A file named `.xml` is from OPUS'
    OpenSubtitles, where several files may be of one film. The other arguments are those of
    `read_scenes`."""
    for scene in read_scenes(path, pauses, keep_language):
        if isinstance(scene, Fault):
            yield scene
            continue
        turns = ((turn.start_ms // 1000, turn.text) for turn in scene)
        yield from exchanges_of(turns, group=film_of(str(path)), origin=str(path))


def read_scenes(path: Path, pauses: Pauses, keep_language: str) -> Iterator[list[Turn] | Fault]:
    """Yields faults, and the turns of each scene. A file without subtitles is one fault.

    Args:
        path: of a subtitle file.
        pauses: the silences that end turns and scenes.
        keep_language: if cues show two languages, only lines in this one are read (ISO 639).
            Without it, such a file is read as it is, and reported by a fault.
    """
    try:
        is_xml = plain_name(path).endswith(".xml")
        found = list(read_opus_cues(path) if is_xml else read_cues(path))
    except CorpusError as error:
        yield fault_of(error, path)
        return
    yield from (each for each in found if isinstance(each, Fault))
    if keep_language:
        found = bilingual.keep_language(found, keep_language)
    elif bilingual.shows_two_languages(found):
        yield Fault(f"{path}:1", TWO_LANGUAGES)
    yield from scenes_of(found, pauses)
