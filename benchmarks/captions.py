"""Exchanges that `mine` finds in live and automatic captions, against what was said in them.

    python -m benchmarks.captions

Renders the scenes of `film-subtitles` as 30 caption files of six kinds, which show most lines more
than once, and mines them. An exchange is right if its last context turn and its reply are, without
regard to capitals and punctuation, which automatic captions lack.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from training.recipe_file import data_folder
from training.subtitles.mine import Exchange, MiningOptions, mine

FILES = 30
#: Characters of a line: of CEA-608, and of a video site's automatic captions.
WIDTH_608 = 32
WIDTH_AUTOMATIC = 42
MS_PER_WORD = 300
TURN_PAUSES_MS = (300, 1200)
SCENE_PAUSE_MS = 8000
#: What is not said for so long is taken off the screen.
CLEARED_AFTER_MS = 3000
FROZEN_MS = 10

Scenes = list[list[str]]


@dataclass(frozen=True)
class Word:
    """A word, when it is said, and whether it begins a turn."""

    text: str
    start_ms: int
    begins_turn: bool


Line = list[Word]


def timed_words(scenes: Scenes, draw: random.Random) -> Iterator[Word]:
    """Yields the words of all scenes, one after the other."""
    now = 1000
    for scene in scenes:
        for turn in scene:
            for place, word in enumerate(turn.split()):
                yield Word(f">> {word}" if place == 0 else word, now, place == 0)
                now += MS_PER_WORD
            now += draw.randint(*TURN_PAUSES_MS)
        now += SCENE_PAUSE_MS


def lines_of(words: list[Word], width: int, breaks: Callable[[], bool]) -> list[Line]:
    """Returns lines of at most `width` characters, or a word; a scene begins one, and a turn if
    `breaks()`."""
    lines: list[Line] = []
    length, last = 0, 0
    for word in words:
        is_late = word.start_ms - last > CLEARED_AFTER_MS
        is_full = length + 1 + len(word.text) > width
        if not lines or is_full or is_late or (word.begins_turn and breaks()):
            lines.append([])
            length = 0
        lines[-1].append(word)
        length += len(word.text) + (length > 0)
        last = word.start_ms
    return lines


def text_of(line: Line) -> str:
    return " ".join(word.text for word in line)


def ends_of(lines: list[Line]) -> list[int]:
    """Returns when each line is no longer the last: at the next, or some time after its last
    word."""
    starts = [line[0].start_ms for line in lines[1:]]
    cleared = [line[-1].start_ms + CLEARED_AFTER_MS for line in lines]
    return [min(pair) for pair in zip([*starts, cleared[-1]], cleared, strict=True)]


def automatic(words: list[Word], draw: random.Random, inline: bool) -> str:
    """Renders captions of a video site: each line grows below the last one, then stands for
    10 ms."""
    lines = lines_of(words, WIDTH_AUTOMATIC, lambda: draw.random() < 0.7)
    cues: list[tuple[int, int, str]] = []
    above, on_screen_until = " ", 0
    for line, end in zip(lines, ends_of(lines), strict=True):
        start = line[0].start_ms
        above = above if start <= on_screen_until else " "
        shown = _with_times(line) if inline else text_of(line)
        cues.append((start, end - FROZEN_MS, f"{above}\n{shown}"))
        cues.append((end - FROZEN_MS, end, f"{text_of(line)}\n "))
        above, on_screen_until = text_of(line), end
    if inline:
        escaped = ((start, end, text.replace(">>", "&gt;&gt;")) for start, end, text in cues)
        return "WEBVTT\nKind: captions\nLanguage: en\n\n" + "\n".join(
            f"{_stamp(start, '.')} --> {_stamp(end, '.')} align:start position:0%\n{text}\n"
            for start, end, text in escaped
        )
    return _srt(cues)


def rolled_up(words: list[Word], draw: random.Random, rows: int) -> str:
    """Renders captions of CEA-608: each new line pushes the others up."""
    lines = lines_of(words, WIDTH_608, lambda: True)
    cues: list[tuple[int, int, str]] = []
    rolled: list[str] = []
    on_screen_until = 0
    for line, end in zip(lines, ends_of(lines), strict=True):
        rolled = rolled if line[0].start_ms <= on_screen_until else []
        rolled = [*rolled, text_of(line).upper()][-rows:]
        cues.append((line[0].start_ms, end, "\n".join(rolled)))
        on_screen_until = end
    return _srt(cues)


def growing(words: list[Word], draw: random.Random) -> str:
    """Renders two lines that grow word by word; then, and for each turn, the screen begins
    anew."""
    cues: list[tuple[int, int, str]] = []
    for screen in lines_of(words, 2 * WIDTH_608, lambda: True):
        for count, word in enumerate(screen, start=1):
            rows = lines_of(screen[:count], WIDTH_608, lambda: False)
            text = "\n".join(map(text_of, rows))
            cues.append((word.start_ms, word.start_ms + MS_PER_WORD, text))
    return _srt(cues)


#: Kind -> suffix, whether it has punctuation and capitals, and how it is rendered.
KINDS: dict[str, tuple[str, bool, Callable[[list[Word], random.Random], str]]] = {
    "automatic, inline times": (".vtt", False, lambda words, draw: automatic(words, draw, True)),
    "automatic, plain": (".srt", False, lambda words, draw: automatic(words, draw, False)),
    "roll-up of 2 lines": (".srt", True, lambda words, draw: rolled_up(words, draw, 2)),
    "roll-up of 3 lines": (".srt", True, lambda words, draw: rolled_up(words, draw, 3)),
    "roll-up of 4 lines": (".srt", True, lambda words, draw: rolled_up(words, draw, 4)),
    "growing word by word": (".srt", True, growing),
}


def plain_words(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s']", " ", text.lower()).split())


def score(scenes: Scenes, kind: str, random_seed: int, folder: Path) -> tuple[int, int, int]:
    """Renders a film as captions of `kind` and mines them. Returns how many exchanges are right,
    found, and in the film."""
    suffix, is_punctuated, render = KINDS[kind]
    draw = random.Random(random_seed)
    if not is_punctuated:
        scenes = [[plain_words(turn) for turn in scene] for scene in scenes]
    path = folder / f"captions{suffix}"
    path.write_text(render(list(timed_words(scenes, draw)), draw), encoding="utf-8")
    truth = Counter(pair for scene in scenes for pair in pairwise(map(plain_words, scene)))
    mined = Counter(
        (plain_words(each.context[-1]), plain_words(each.reply))
        for each in mine([str(path)], MiningOptions())
        if isinstance(each, Exchange)
    )
    return (truth & mined).total(), mined.total(), truth.total()


def measure() -> dict[str, tuple[int, int, int]]:
    """Returns for each kind of captions how many exchanges are right, found, and in the films."""
    films = (data_folder() / "film-subtitles" / "truth.jsonl").read_text(encoding="utf-8")
    totals = dict.fromkeys(KINDS, (0, 0, 0))
    with tempfile.TemporaryDirectory() as folder:
        for number, film in enumerate(films.splitlines()[:FILES]):
            kind = list(KINDS)[number % len(KINDS)]
            counts = score(json.loads(film)["scenes"], kind, number, Path(folder))
            right, found, wanted = (a + b for a, b in zip(totals[kind], counts, strict=True))
            totals[kind] = right, found, wanted
    return totals


def _with_times(line: Line) -> str:
    first, *others = line
    timed = (f"<{_stamp(word.start_ms, '.')}><c> {word.text}</c>" for word in others)
    return first.text + "".join(timed)


def _srt(cues: list[tuple[int, int, str]]) -> str:
    return "\n".join(
        f"{number}\n{_stamp(start, ',')} --> {_stamp(end, ',')}\n{text}\n"
        for number, (start, end, text) in enumerate(cues, start=1)
    )


def _stamp(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"


def main() -> None:
    print("| captions | exchanges | precision | recall |\n|---|---|---|---|")
    for kind, (right, found, wanted) in measure().items():
        print(f"| {kind} | {wanted:,} | {right / found:.3f} | {right / wanted:.3f} |")


if __name__ == "__main__":
    main()
