"""The command `mine`: exchanges from subtitle files, for other programs to use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.errors import CorpusError
from training.files.archives import archive_of, wanted_files, wanted_members
from training.files.paths import find_files
from training.files.records import Fault, fault_of
from training.formats import FORMATS
from training.subtitles.reader import read_scenes
from training.subtitles.turns import Pauses, Turn

SUFFIXES = (*FORMATS["subtitles"].suffixes, *FORMATS["opensubtitles"].suffixes)


@dataclass(frozen=True)
class Exchange:
    """A reply and its context.

    Attributes:
        file: the file that has it.
        start, end: of the reply, in seconds.
        context: the turns before the reply in its scene, oldest first.
        reply: the text of the turn after them.
        speakers: of each turn of the context and of the reply, "" if unknown; empty if all of them
            are unknown.
    """

    file: str
    start: float
    end: float
    context: tuple[str, ...]
    reply: str
    speakers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns the exchange as a JSON object, without `speakers` if none is known."""
        return {name: value for name, value in asdict(self).items() if value != ()}


@dataclass(frozen=True)
class MiningOptions:
    """Options for splitting subtitles into turns and scenes.

    Attributes:
        context_turns: the most turns of a context, >= 1.
        scene_pause: seconds of silence that end a scene.
        turn_pause: cues closer than this, in seconds, are one turn if they are one sentence, or if
            the file leaves a longer pause between speakers.
        keep_language: code of the language to read if cues show two.
    """

    context_turns: int = 4
    scene_pause: float = 4.0
    turn_pause: float = 0.25
    keep_language: str = ""


def mine(
    paths: Iterable[str],
    options: MiningOptions,
    *,
    on_read: Callable[[str], object] = lambda _: None,
) -> Iterator[Exchange | Fault]:
    """Yields the exchanges of subtitle files, as a stream; what cannot be read becomes a fault.

    Args:
        paths: files, folders, globs and archives.
        options: how subtitles are split into turns and scenes.
        on_read: called with each file that could be read.
    """
    pauses = Pauses.of_seconds(turn=options.turn_pause, scene=options.scene_pause)
    for path in paths:
        for file in _files_of(path):
            if isinstance(file, Fault):
                yield file
                continue
            is_read = True
            for scene in read_scenes(file, pauses, options.keep_language):
                if isinstance(scene, Fault):
                    is_read = is_read and scene.origin != str(file)
                    yield scene
                else:
                    yield from _exchanges(file, scene, options.context_turns)
            if is_read:
                on_read(str(file))


def files_of(paths: Iterable[str]) -> Iterator[Path]:
    """Yields the files, or their archives, that `mine` reads."""
    for path in paths:
        for file in _files_of(path):
            if isinstance(file, Path):
                yield archive_of(file) or file


def _files_of(path: str) -> Iterator[Path | Fault]:
    """Yields the subtitle files of a path, also those in archives."""
    try:
        _, files = find_files(path, [Path()])
    except CorpusError as error:
        yield fault_of(error, path)
        return
    for file in wanted_files(files, SUFFIXES):
        try:
            yield from wanted_members(file, SUFFIXES)
        except CorpusError as error:
            yield fault_of(error, file)


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
