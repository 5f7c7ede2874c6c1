"""Drawing of the parts, between the first pass and the third.

The fractions of the recipe are tried first. If dev or test are then too small to score, perhaps
only because train has the same examples, more is held out: whole groups or, where those are too
few, the last examples. Everything depends on the candidates alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from training.prepare.chunks import open_chunk
from training.prepare.pass2_deduplicate import KEPT, VERDICTS, Verdicts, deduplicate
from training.prepare.splits import (
    DEV,
    SPLITS,
    TEST,
    TRAIN,
    Fractions,
    Parts,
    Sizes,
    draw_by_fraction,
    draw_groups,
    draw_stretches,
    least_sizes,
)
from training.recipe import CorpusConfig, Recipe

#: Method by which parts were drawn.
How = Literal["given", "fractions", "groups", "stretches"]
#: Multiples of the least sizes that are tried, since dev and test lose duplicates.
GROWTH = (1, 2, 4, 8)
#: `split` of sources that parts are drawn from; from `train`, dev only.
DRAWN = ("auto", "train")


@dataclass(frozen=True)
class Drawn:
    """Parts and verdicts of all candidates.

    Attributes:
        chunks: files of candidates, in order.
        rows: number of candidates in each chunk.
        how: by the fractions of the recipe; by whole groups, so that parts are large enough; or by
            stretches inside groups. `given`: sources name their parts, nothing was drawn.
        groups: number of groups to draw from; 0 if it does not matter.
        parts: indices into SPLITS, `(candidates,)`.
        verdicts: indices into `pass2_deduplicate.VERDICTS`, `(candidates,)`.
        common: candidates that parts had in common, as `deduplicate` counts them.
    """

    chunks: Sequence[Path]
    rows: Sequence[int]
    how: How
    groups: int
    parts: Parts
    verdicts: Verdicts
    common: Counter[str]

    def each_chunk(self) -> Iterator[tuple[Path, Parts, Verdicts]]:
        """Yields each chunk with the parts and the verdicts of its rows."""
        for path, (start, end) in zip(self.chunks, _spans(self.rows), strict=True):
            yield path, np.array(self.parts[start:end]), np.array(self.verdicts[start:end])

    def counts(self) -> NDArray[np.int64]:
        """Counts the candidates of each part by verdict, `(parts, verdicts)`."""
        found = np.zeros((len(SPLITS), len(VERDICTS)), np.int64)
        for _, parts, verdicts in self.each_chunk():
            np.add.at(found, (parts, verdicts), 1)
        return found


def draw_parts(
    recipe: Recipe, chunks: Sequence[Path], rows: Sequence[int], splits: Sequence[str], folder: Path
) -> Drawn:
    """Draws parts by the first method that leaves enough in each after deduplication; if none does,
    by the one that leaves the most in the smallest.

    Args:
        recipe: fractions, task and rules.
        chunks: files of candidates, in order.
        rows: number of candidates in each chunk.
        splits: `split` of the source of each chunk.
        folder: receives files of one byte for each candidate.
    """
    fractions = fractions_of(recipe.corpus)
    rules = frozenset(rule.rule for rule in recipe.rules)
    is_bilingual = recipe.task == "translate"
    attempts: list[tuple[int, Drawn]] = []
    is_drawn = [split in DRAWN for split in splits]
    for number, (how, groups, parts) in enumerate(
        _attempts(chunks, rows, splits, fractions, folder)
    ):
        path = folder / f"verdicts-{number}"
        found = deduplicate(chunks, rows, parts, path, is_bilingual=is_bilingual, rules=rules)
        drawn = Drawn(chunks, rows, how, groups, parts, *found)
        kept = _count(rows, is_drawn, parts, drawn.verdicts)
        least = least_sizes(int(kept.sum()), fractions)
        is_small = kept[TRAIN] < (1 if how in ("given", "fractions") else kept.max() / 2)
        lacks = [is_small, kept[DEV] < least.dev, kept[TEST] < least.test]
        if not any(lacks):
            return drawn
        needed = [TRAIN, *(part for part, size in ((DEV, least.dev), (TEST, least.test)) if size)]
        attempts.append((int(kept[needed].min()), drawn))
    return max(attempts, key=lambda attempt: attempt[0])[1]


def wants_dev(corpus: CorpusConfig) -> bool:
    """Tells whether the recipe wants a dev part. Without one, `fit` learns train by heart."""
    return corpus.dev_fraction > 0 or any(source.split == "dev" for source in corpus.sources)


def fractions_of(corpus: CorpusConfig) -> Fractions:
    """Returns the fractions to draw for dev and test: 0 where a source is given as that part, and
    no test where every source belongs to train."""
    given = {source.split for source in corpus.sources}
    dev = 0.0 if "dev" in given else corpus.dev_fraction
    return Fractions(dev, 0.0 if "test" in given or "auto" not in given else corpus.test_fraction)


def _attempts(
    chunks: Sequence[Path],
    rows: Sequence[int],
    splits: Sequence[str],
    fractions: Fractions,
    folder: Path,
) -> Iterator[tuple[How, int, Parts]]:
    """Yields method, number of groups and parts: first the methods for large corpora, then those
    for small ones."""
    parts = _by_fractions(chunks, rows, splits, fractions, folder / "parts")
    if not any(fractions):
        yield "given", 0, parts
        return
    is_drawn = [split in DRAWN for split in splits]
    sizes = _count(rows, is_drawn, parts)
    leaves_train = sizes[TRAIN] >= (1 - sum(fractions)) / 2 * sizes.sum()
    if leaves_train:
        yield "fractions", 0, parts
    if sizes.sum():
        yield from _larger_parts(chunks, rows, splits, fractions, parts)
    if not leaves_train:
        yield "fractions", 0, parts


def _by_fractions(
    chunks: Sequence[Path],
    rows: Sequence[int],
    splits: Sequence[str],
    fractions: Fractions,
    path: Path,
) -> Parts:
    total = sum(rows)
    if not total:
        return np.zeros(0, np.uint8)
    parts: Parts = np.memmap(path, np.uint8, "w+", shape=(total,))
    for (start, end), chunk, split in zip(_spans(rows), chunks, splits, strict=True):
        if split in DRAWN:
            shares = fractions if split == "auto" else Fractions(fractions.dev, 0.0)
            parts[start:end] = draw_by_fraction(_column(chunk, "place"), shares)
        else:
            parts[start:end] = DEV if split == "dev" else TEST
    return parts


def _larger_parts(
    chunks: Sequence[Path],
    rows: Sequence[int],
    splits: Sequence[str],
    fractions: Fractions,
    parts: Parts,
) -> Iterator[tuple[How, int, Parts]]:
    used = [(chunk, split) for chunk, split in zip(chunks, splits, strict=True) if split in DRAWN]
    places = np.concatenate([_column(chunk, "place") for chunk, _ in used])
    is_start = np.concatenate([_column(chunk, "talk_key") for chunk, _ in used]) == 0
    counts = [count for count, split in zip(rows, splits, strict=True) if split in DRAWN]
    may_test = np.repeat([split == "auto" for _, split in used], counts)
    is_drawn = np.repeat([split in DRAWN for split in splits], rows)
    groups = len(np.unique(places))

    def whole(drawn: Parts) -> Parts:
        found = np.array(parts)
        found[is_drawn] = drawn
        return found

    shares = Sizes(*(int(fraction * len(places)) for fraction in fractions))
    least = [least_sizes(len(places), fractions, times) for times in GROWTH]
    by_fractions = Sizes(*map(max, shares, least[0]))
    for wanted in (by_fractions, *least):
        if (drawn := draw_groups(places, may_test, wanted)) is not None:
            yield "groups", groups, whole(drawn)
    for wanted in (by_fractions, *least):
        if (drawn := draw_stretches(is_start, may_test, wanted)) is not None:
            yield "stretches", groups, whole(drawn)


def _column(chunk: Path, name: str) -> NDArray[np.uint64]:
    return np.asarray(open_chunk(chunk).get_batch(0)[name].to_numpy())


def _spans(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yields the range of rows of each chunk: start, end (exclusive)."""
    ends = np.cumsum(rows, dtype=np.int64).tolist()
    return zip([0, *ends], ends, strict=False)


def _count(
    rows: Sequence[int], is_drawn: Sequence[bool], parts: Parts, verdicts: Verdicts | None = None
) -> NDArray[np.int64]:
    """Counts the drawn candidates of each part; with verdicts, only those that are kept."""
    sizes = np.zeros(len(SPLITS), np.int64)
    for (start, end), is_counted in zip(_spans(rows), is_drawn, strict=True):
        if is_counted:
            mine = parts[start:end]
            kept = mine if verdicts is None else mine[verdicts[start:end] == KEPT]
            sizes += np.bincount(kept, minlength=len(SPLITS))
    return sizes
