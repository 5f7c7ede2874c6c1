"""Pairs that `align` finds in talks with subtitles in two languages, against a reader's.

    python -m benchmarks.alignment

`tests/training/alignment/talk_pairs.tsv` has the pairs by number of cue; `test_film_truth.py` tells
how they were found. A pair is right if both sides have the very cues. The peers know no clock:
`overlap` joins cues that share more than half of the shorter one's time; `clock as it is` is our
own aligner without `estimate_clock`.

A second table (`films`) tells how many pairs of files are accepted as of one film: each English
talk with its other languages, and with a file of two other talks. What decides that was chosen on
one half of the talks.

A third (`breaks`) has talks into which breaks were put, or of which stretches were removed: each
English talk, of every seventh by name of those whose files all have `FEW_CUES` or more, with its
French, or else the first other language by name. A pair is right if it has the very cues of a pair
of the unbroken talk; those that are torn or removed are not counted. It is wrong if no cue of its
source is in one pair of the unbroken talk with a cue of its target. The rest are right ones that
are parted otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from training.alignment.clock import Timing
from training.alignment.films import align
from training.alignment.same_film import FEW_CUES, estimate_clock
from training.files.records import Cue
from training.formats import MIN_SCORE
from training.recipe_file import data_folder
from training.subtitles.cues import read_cues

TRUTH = Path(__file__).parent.parent / "tests" / "training" / "alignment" / "talk_pairs.tsv"
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
        """Returns the pairs that begin in the window."""
        return [pair for pair in found if self.first <= pair[0][0] <= self.last]


@dataclass(frozen=True)
class Scores:
    """Against the pairs found by reading."""

    precision: float
    recall: float
    pairs: int
    seconds: float  # for a film


def windows(talks: Path, sample: str) -> Iterator[Window]:
    """Yields the windows of a sample of `TRUTH`."""
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
    """Scores `aligner` on targets whose clock is changed."""
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
    """Returns the pairs of the command `align`: none for files that it refuses."""
    clock = estimate_clock(source, target)
    return _pairs(source, target, clock) if clock else []


def clock_as_it_is(source: list[Cue], target: list[Cue]) -> Found:
    """Returns the pairs of our aligner without a correction of the clock."""
    return _pairs(source, target, Timing())


def overlap(source: list[Cue], target: list[Cue]) -> Found:
    """Joins cues that share more than half of the shorter one's time."""
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
    """Yields kind of pair, clock, how many pairs are accepted as of one talk, and of how many.

    Args:
        talks: the folder.
        half: 0 is the half on which `estimate_clock` was developed, 1 the other.
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
                estimate_clock(source, [retimed(cue, rate, offset) for cue in target])
                for source, target in read
            ]
            yield kind, clock, len(fitting) - fitting.count(None), len(fitting)


@dataclass(frozen=True)
class Cut:
    """Time that is put in, or taken out, at shares of a file's length: negative seconds remove.

    Attributes:
        source, target: (share, seconds) of each file.
        rate: of the target's clock.
    """

    source: tuple[tuple[float, float], ...] = ()
    target: tuple[tuple[float, float], ...] = ()
    rate: float = 1.0


TWICE = {seconds: ((0.3, seconds), (0.65, seconds)) for seconds in (30, 90, 240)}
CUTS = {
    **{f"{each} s put into the source, twice": Cut(source=TWICE[each]) for each in TWICE},
    **{f"{each} s put into the target, twice": Cut(target=TWICE[each]) for each in TWICE},
    "90 s put into each": Cut(((0.3, 90),), ((0.65, 90),)),
    "60 s removed from the target, twice": Cut(target=((0.3, -60), (0.65, -60))),
    "60 s removed from each": Cut(((0.3, -60),), ((0.65, -60),)),
    "90 s put into the target, twice; 25 -> 23.976 fps": Cut(
        target=((0.3, 90), (0.65, 90)), rate=25 * 1.001 / 24
    ),
}


def cut(cues: list[Cue], places: tuple[tuple[float, float], ...]) -> list[Cue]:
    """Returns the cues of another cut of a film, each with the line that it had."""
    end = max(cue.end_ms for cue in cues)
    found = []
    for cue in cues:
        moved, is_kept = 0.0, True
        for share, seconds in places:
            begin = share * end
            is_kept &= seconds > 0 or cue.end_ms <= begin or cue.start_ms >= begin - 1000 * seconds
            moved += seconds * (cue.start_ms >= begin)
        if is_kept:
            found.append(retimed(cue, 1.0, moved))
    return found


@dataclass
class Broken:
    """Pairs of talks with breaks: expected, those found of them, all found, and wrong ones."""

    expected: int = 0
    kept: int = 0
    found: int = 0
    wrong: int = 0
    refused: int = 0


def broken_talks(talks: Path) -> list[Path]:
    """Returns the talks of the third table."""
    files = {each: [_cues(file) for file in each.glob("*.srt")] for each in sorted(talks.iterdir())}
    long = [t for t, all_ in files.items() if len(all_) > 1 and min(map(len, all_)) >= FEW_CUES]
    return long[::7]


def broken(folders: list[Path]) -> dict[str, Broken]:
    """Counts what `ours` finds in each of `CUTS`, against what it finds in the unbroken talks."""
    counts = {name: Broken() for name in CUTS}
    for folder in folders:
        source = _cues(folder / "english.srt")
        target = _cues(_translation(folder))
        pairs = ours(source, target)
        for name, each in CUTS.items():
            _count_broken(counts[name], source, target, pairs, each)
    return counts


def _translation(folder: Path) -> Path:
    """Returns the French file if there is one, else the first by name."""
    others = sorted(file for file in folder.glob("*.srt") if file.stem != "english")
    return next((file for file in others if file.stem == "french"), others[0])


def _count_broken(
    counts: Broken, source: list[Cue], target: list[Cue], pairs: Found, made: Cut
) -> None:
    other_source, other_target = cut(source, made.source), cut(target, made.target)
    moved = [
        {after.line: after.start_ms - before[after.line] for after in cues}
        for cues, before in (
            (other_source, {cue.line: cue.start_ms for cue in source}),
            (other_target, {cue.line: cue.start_ms for cue in target}),
        )
    ]
    right = {
        pair
        for pair in pairs
        if all(
            len({by.get(line) for line in side}) == 1 and side[0] in by
            for side, by in zip(pair, moved, strict=True)
        )
    }
    together = {(one, other) for ones, others in pairs for one in ones for other in others}
    found = ours(other_source, [retimed(cue, made.rate, 0.0) for cue in other_target])
    counts.expected += len(right)
    counts.kept += len(right & set(found))
    counts.found += len(found)
    counts.wrong += sum(
        not any((one, other) in together for one in ones for other in others)
        for ones, others in found
    )
    counts.refused += not found


def _half(talk: Path) -> int:
    return int(hashlib.md5(talk.name.encode(), usedforsecurity=False).hexdigest(), 16) % 2


def _cues(path: Path) -> list[Cue]:
    return [cue for cue in read_cues(path) if isinstance(cue, Cue)]


def retimed(cue: Cue, rate: float, offset: float) -> Cue:
    """Returns the cue on another clock."""
    start, end = (round(rate * time + 1000 * offset) for time in (cue.start_ms, cue.end_ms))
    return replace(cue, start_ms=start, end_ms=end)


def _numbers(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _lines_of_cues(path: Path) -> dict[int, int]:
    """Returns number of a cue in its file -> the line of its time."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    timed = (number for number, line in enumerate(lines, start=1) if "-->" in line)
    return dict(enumerate(timed, start=1))


def _print_samples(talks: Path) -> None:
    aligners = {"ours": ours, "clock as it is": clock_as_it_is, "overlap": overlap}
    print("| sample | target's clock | aligner | precision | recall | pairs | seconds a film |")
    print("|---|---|---|---|---|---|---|")
    for sample in ("first", "second", "third", "fourth", "fifth"):
        known = list(windows(talks, sample))
        name_of_sample = f"{sample}, {sum(len(window.pairs) for window in known)} pairs"
        for clock, (rate, offset) in CLOCKS.items():
            for name, aligner in aligners.items():
                got = measure(known, aligner, rate, offset)
                print(
                    f"| {name_of_sample} | {clock} | {name} | {got.precision:.3f} | "
                    f"{got.recall:.3f} | {got.pairs} | {got.seconds:.2f} |",
                    flush=True,
                )


def _print_films(talks: Path) -> None:
    print("\n| talks | files | target's clock | accepted |")
    print("|---|---|---|---|")
    for half, name in enumerate(("development", "held out")):
        for kind, clock, count, pairs in accepted(talks, half):
            print(f"| {name} | {kind} | {clock} | {count} of {pairs} |", flush=True)


def _print_breaks(talks: Path) -> None:
    folders = broken_talks(talks)
    print("\n" + ", ".join(folder.name for folder in folders))
    print("\n| cut | right pairs | kept | pairs found | wrong | files refused |")
    print("|---|---|---|---|---|---|")
    for name, got in broken(folders).items():
        print(
            f"| {name} | {got.expected:,} | {got.kept / got.expected:.1%} | {got.found:,} | "
            f"{got.wrong / max(1, got.found):.1%} | {got.refused} |"
        )


def main() -> None:
    tables = {"samples": _print_samples, "films": _print_films, "breaks": _print_breaks}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tables", nargs="*", default=list(tables))
    for table in parser.parse_args().tables:
        tables[table](data_folder() / "talk-subtitles")


if __name__ == "__main__":
    main()
