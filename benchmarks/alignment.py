"""Pairs that `align` finds in talks with subtitles in two languages, against a reader's.

    python -m benchmarks.alignment

`tests/training/corpus/talk_pairs.tsv` has the pairs by number of cue; `test_film_truth.py` tells
how they were found. A pair is right if both sides have the very cues. The peers know no clock:
`overlap` joins cues that share more than half of the shorter one's time; `clock as it is` is our
own aligner without `fitting_clock`.

A second table tells how many pairs of files are accepted as of one film: each English talk with its
other languages, and with a file of two other talks. What decides that was chosen on one half of the
talks.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from training.corpus.alignment import MIN_SCORE, align
from training.corpus.fitting import FEW_CUES, fitting_clock
from training.corpus.readers.cues import read_cues
from training.corpus.records import Cue
from training.corpus.timing import Timing
from training.recipe import data_folder

TRUTH = Path(__file__).parent.parent / "tests" / "training" / "corpus" / "talk_pairs.tsv"
#: Clocks of the target: rate and offset in seconds.
CLOCKS = {"original": (1.0, 0.0), "+3.7 s": (1.0, 3.7), "25 -> 23.976 fps": (25 * 1.001 / 24, 0.0)}

Lines = tuple[int, ...]
Found = list[tuple[Lines, Lines]]
Aligner = Callable[[list[Cue], list[Cue]], Found]


@dataclass(frozen=True)
class Window:
    """A part of a talk in which all pairs are known.

    Attributes:
        source, target: the cues of the whole files.
        first, last: lines of the source's first and last cue in the window.
        pairs: lines of the cues of each side.
    """

    source: list[Cue]
    target: list[Cue]
    first: int
    last: int
    pairs: Found

    def of_window(self, found: Found) -> Found:
        """Those that begin in it."""
        return [pair for pair in found if self.first <= pair[0][0] <= self.last]


@dataclass(frozen=True)
class Scores:
    """Against the pairs found by reading."""

    precision: float
    recall: float
    pairs: int
    seconds: float  # for a film


def windows(talks: Path, sample: str) -> Iterator[Window]:
    """The windows of a sample of `TRUTH`."""
    rows = defaultdict(list)
    for row in TRUTH.read_text().splitlines()[1:]:
        which, talk, language, window, *pair = row.split("\t")
        if which == sample:
            rows[talk, language, window].append(pair)
    for (talk, language, window), pairs in rows.items():
        paths = (talks / talk / "english.srt", talks / talk / f"{language}.srt")
        ours, theirs = map(_lines_of_cues, paths)
        source, target = map(_cues, paths)
        first, *_, last = _numbers(window)
        known = [
            (tuple(ours[n] for n in _numbers(one)), tuple(theirs[n] for n in _numbers(other)))
            for one, other in pairs
        ]
        yield Window(source, target, ours[first], ours[last], known)


def measure(known: list[Window], aligner: Aligner, rate: float, offset: float) -> Scores:
    """`aligner` on targets whose clock is changed."""
    right = found = 0
    start = time.perf_counter()
    for window in known:
        target = [retimed(cue, rate, offset) for cue in window.target]
        pairs = Counter(window.of_window(aligner(window.source, target)))
        right += (pairs & Counter(window.pairs)).total()
        found += pairs.total()
    seconds = (time.perf_counter() - start) / len(known)
    wanted = sum(len(window.pairs) for window in known)
    return Scores(right / max(1, found), right / wanted, found, seconds)


def ours(source: list[Cue], target: list[Cue]) -> Found:
    """What the command `align` gives: nothing for files that it refuses."""
    clock = fitting_clock(source, target)
    return _pairs(source, target, clock) if clock else []


def clock_as_it_is(source: list[Cue], target: list[Cue]) -> Found:
    """The same, without a correction of the clock."""
    return _pairs(source, target, Timing())


def overlap(source: list[Cue], target: list[Cue]) -> Found:
    """Cues that share more than half of the shorter one's time belong together."""
    group_of: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for one in source:
        for other in target:
            shared = min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms)
            if shared > 0.5 * min(one.end_ms - one.start_ms, other.end_ms - other.start_ms):
                keys = ((0, one.line), (1, other.line))
                group = set().union(*(group_of.get(key, {key}) for key in keys))
                group_of.update(dict.fromkeys(group, group))
    groups = {id(group): group for group in group_of.values()}.values()
    sides = [
        tuple(tuple(sorted(n for s, n in group if s == side)) for side in (0, 1))
        for group in groups
    ]
    return [(one, other) for one, other in sides]


def _pairs(source: list[Cue], target: list[Cue], timing: Timing) -> Found:
    return [
        (
            tuple(dict.fromkeys(each.line for each in pair.source)),
            tuple(dict.fromkeys(each.line for each in pair.target)),
        )
        for pair in align(source, target, timing)
        if pair.score >= MIN_SCORE
    ]


def accepted(talks: Path, half: int) -> Iterator[tuple[str, str, int, int]]:
    """Whether talks are of one, for each clock: how many are accepted, of how many.

    Args:
        talks: the folder.
        half: 0 is the half on which `fitting_clock` was developed, 1 the other.
    """
    draw = random.Random(half)
    folders = [each for each in sorted(talks.iterdir()) if _half(each) == half]
    files = [file for each in folders for file in sorted(each.glob("*.srt"))]
    kinds = defaultdict[str, list[tuple[list[Cue], list[Cue]]]](list)
    for folder in folders:
        english = folder / "english.srt"
        others = [file for file in files if file.parent != folder]
        same = [file for file in files if file.parent == folder and file != english]
        for kind, targets in (
            ("two languages of one talk", same),
            ("different talks", draw.sample(others, 2)),
        ):
            for pair in ((_cues(english), _cues(file)) for file in targets):
                short = f", under {FEW_CUES} cues" if min(map(len, pair)) < FEW_CUES else ""
                kinds[kind + short].append(pair)
    for kind, read in kinds.items():
        for clock, (rate, offset) in CLOCKS.items():
            fitting = [
                fitting_clock(source, [retimed(cue, rate, offset) for cue in target])
                for source, target in read
            ]
            yield kind, clock, len(fitting) - fitting.count(None), len(fitting)


def _half(talk: Path) -> int:
    return int(hashlib.md5(talk.name.encode(), usedforsecurity=False).hexdigest(), 16) % 2


def _cues(path: Path) -> list[Cue]:
    return [cue for cue in read_cues(path) if isinstance(cue, Cue)]


def retimed(cue: Cue, rate: float, offset: float) -> Cue:
    """A cue on another clock."""
    start, end = (round(rate * time + 1000 * offset) for time in (cue.start_ms, cue.end_ms))
    return replace(cue, start_ms=start, end_ms=end)


def _numbers(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _lines_of_cues(path: Path) -> dict[int, int]:
    """Number of a cue in its file -> the line of its time."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    timed = (number for number, line in enumerate(lines, start=1) if "-->" in line)
    return dict(enumerate(timed, start=1))


def main() -> None:
    aligners = {"ours": ours, "clock as it is": clock_as_it_is, "overlap": overlap}
    print("| sample | target's clock | aligner | precision | recall | pairs | seconds a film |")
    print("|---|---|---|---|---|---|---|")
    for sample in ("first", "second", "third", "fourth", "fifth"):
        known = list(windows(data_folder() / "talk-subtitles", sample))
        name_of_sample = f"{sample}, {sum(len(window.pairs) for window in known)} pairs"
        for clock, (rate, offset) in CLOCKS.items():
            for name, aligner in aligners.items():
                got = measure(known, aligner, rate, offset)
                print(
                    f"| {name_of_sample} | {clock} | {name} | {got.precision:.3f} | "
                    f"{got.recall:.3f} | {got.pairs} | {got.seconds:.2f} |",
                    flush=True,
                )
    print("\n| talks | files | target's clock | accepted |")
    print("|---|---|---|---|")
    for half, name in enumerate(("development", "held out")):
        for kind, clock, count, pairs in accepted(data_folder() / "talk-subtitles", half):
            print(f"| {name} | {kind} | {clock} | {count} of {pairs} |", flush=True)


if __name__ == "__main__":
    main()
