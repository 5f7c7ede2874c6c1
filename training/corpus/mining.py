"""`mine`: the exchanges of subtitle files, for programs other than this one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from training.corpus.files import find_files
from training.corpus.readers import wanted_files, wanted_members
from training.corpus.readers.subtitles import read_scenes
from training.corpus.records import Fault, fault_of
from training.corpus.turns import Pauses, Turn
from training.errors import CorpusError
from training.formats import FORMATS

SUFFIXES = FORMATS["subtitles"].suffixes


@dataclass(frozen=True)
class Exchange:
    """A reply and what it answers.

    Attributes:
        file: where it is said.
        start, end: of the reply, in seconds.
        context: the turns before it in its scene, oldest first.
        reply: what is said then.
        speakers: who says each turn of the context and the reply, "" where the file does not tell;
            empty if it tells none of them.
    """

    file: str
    start: float
    end: float
    context: tuple[str, ...]
    reply: str
    speakers: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One line; without `speakers` if none is known."""
        known = {name: value for name, value in asdict(self).items() if value != ()}
        return json.dumps(known, ensure_ascii=False)


@dataclass(frozen=True)
class MiningOptions:
    """How turns are told apart.

    Attributes:
        context_turns: the most turns of a context, >= 1.
        scene_pause: seconds of silence after which nothing answers what came before.
        turn_pause: cues closer than this, in seconds, are one turn if they are one sentence, or if
            the file leaves a longer pause between speakers.
        keep_language: code of the one that is read where cues show two languages.
    """

    context_turns: int = 4
    scene_pause: float = 4.0
    turn_pause: float = 0.25
    keep_language: str = ""

    @property
    def pauses(self) -> Pauses:
        """The same in milliseconds."""
        return Pauses.of_seconds(turn=self.turn_pause, scene=self.scene_pause)


def mine(paths: Iterable[str], options: MiningOptions) -> Iterator[Exchange | Fault]:
    """Exchanges of files, folders, globs and archives, as a stream; what cannot be read becomes a
    fault."""
    for path in paths:
        try:
            _, files = find_files(path, [Path()])
        except CorpusError as error:
            yield fault_of(error, path)
            continue
        for file in wanted_files(files, SUFFIXES):
            yield from _mine_file(file, options)


def _mine_file(file: Path, options: MiningOptions) -> Iterator[Exchange | Fault]:
    try:
        for member in wanted_members(file, SUFFIXES):
            yield from _mine_member(member, options)
    except CorpusError as error:
        yield fault_of(error, file)


def _mine_member(path: Path, options: MiningOptions) -> Iterator[Exchange | Fault]:
    for scene in read_scenes(path, options.pauses, options.keep_language):
        if isinstance(scene, Fault):
            yield scene
        else:
            yield from _exchanges(path, scene, options.context_turns)


def _exchanges(path: Path, scene: list[Turn], context_turns: int) -> Iterator[Exchange]:
    for place, turn in enumerate(scene[1:], start=1):
        turns = scene[max(0, place - context_turns) : place + 1]
        *context, reply = (each.text for each in turns)
        speakers = tuple(each.speaker for each in turns)
        yield Exchange(
            file=str(path),
            start=turn.start_ms / 1000,
            end=turn.end_ms / 1000,
            context=tuple(context),
            reply=reply,
            speakers=speakers if any(speakers) else (),
        )
