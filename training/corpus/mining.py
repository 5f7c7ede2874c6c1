"""`mine`: the exchanges of subtitle files, for programs other than this one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from training.corpus.files import find_files
from training.corpus.readers import SUFFIXES
from training.corpus.readers.subtitles import Turn, read_scenes
from training.corpus.records import Fault
from training.errors import CorpusError


@dataclass(frozen=True)
class Exchange:
    """A reply and what it answers.

    Attributes:
        file: where it is said.
        start, end: of the reply, in seconds.
        context: the turns before it in its scene, oldest first.
        reply: what is said then.
    """

    file: str
    start: float
    end: float
    context: tuple[str, ...]
    reply: str

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True)
class MiningOptions:
    """How turns are told apart.

    Attributes:
        context_turns: the most turns of a context, >= 1.
        scene_pause: seconds of silence after which nothing answers what came before.
        turn_pause: cues closer than this, in seconds, are one turn if the first does not end a
            sentence.
    """

    context_turns: int = 4
    scene_pause: float = 4.0
    turn_pause: float = 0.5


def mine(paths: Iterable[str], options: MiningOptions) -> Iterator[Exchange | Fault]:
    """Exchanges of files, folders and globs, as a stream; what cannot be read becomes a fault."""
    for path in paths:
        try:
            _, files = find_files(path, [Path()])
        except CorpusError as error:
            yield Fault(path, str(error))
            continue
        for file in files:
            if len(files) == 1 or file.suffix.lower() in SUFFIXES["srt"]:
                yield from _mine_file(file, options)


def _mine_file(path: Path, options: MiningOptions) -> Iterator[Exchange | Fault]:
    pauses = {
        "scene_pause": round(1000 * options.scene_pause),
        "turn_pause": round(1000 * options.turn_pause),
    }
    try:
        for scene in read_scenes(path, **pauses):
            yield from _exchanges(path, scene, options.context_turns)
    except CorpusError as error:
        yield Fault(str(path), str(error))


def _exchanges(path: Path, scene: list[Turn], context_turns: int) -> Iterator[Exchange]:
    for place, turn in enumerate(scene[1:], start=1):
        context = tuple(each.text for each in scene[max(0, place - context_turns) : place])
        yield Exchange(str(path), turn.start / 1000, turn.end / 1000, context, turn.text)
