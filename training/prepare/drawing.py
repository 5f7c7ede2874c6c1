"""Drawing of the splits, between the first pass and the third.

The fractions of the recipe are tried first. If dev or test are then too small to score, perhaps
only because train has the same examples, more is held out: whole groups or, if there are too few,
the last examples. The result depends only on the candidates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.types import Int64
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

#: Method by which splits were drawn.
How = Literal["given", "fractions", "groups", "stretches"]
#: Multiples of the minimum sizes to try, since dev and test lose duplicates.
GROWTH = (1, 2, 4, 8)
#: Splits by their names, as sources give them.
_PART_OF: dict[str, int] = {name: part for part, name in enumerate(SPLITS)}


@dataclass(frozen=True)
class Chunk:
    """Candidates of a piece.

    Attributes:
        path, rows: their file and number.
        split: the `split` of their source.
        is_drawn: whether splits are drawn from it.
    """

    path: Path
    rows: int
    split: str
    is_drawn: bool


@dataclass(frozen=True)
class DrawnSplits:
    """Splits and verdicts of all candidates.

    Attributes:
        chunks: the candidates, in order.
        how: by the fractions of the recipe; by whole groups, so that splits are large enough; or by
            stretches inside groups. `given`: sources set their splits, nothing was drawn.
        groups: number of groups to draw from; 0 if irrelevant.
        parts: indices into SPLITS, `(candidates,)`.
        verdicts: indices into `pass2_deduplicate.VERDICTS`, `(candidates,)`.
        common: candidates that splits had in common, as counted by `deduplicate`.
    """

    chunks: Sequence[Chunk]
    how: How
    groups: int
    parts: Parts
    verdicts: Verdicts
    common: Counter[str]

    def each_chunk(self) -> Iterator[tuple[Path, Parts, Verdicts]]:
        """Yields each chunk with the splits and the verdicts of its rows."""
        for chunk, span in _spans(self.chunks):
            yield chunk.path, self.parts[span], self.verdicts[span]

    def counts(self) -> Int64:
        """Counts the candidates of each split by verdict, `(splits, verdicts)`."""
        found = np.zeros((len(SPLITS), len(VERDICTS)), np.int64)
        for _, parts, verdicts in self.each_chunk():
            np.add.at(found, (parts, verdicts), 1)
        return found


def draw_splits(recipe: Recipe, chunks: Sequence[Chunk]) -> DrawnSplits:
    """Draws splits by the first method that leaves enough in each after deduplication; if none
    does, by the one that leaves the most in the smallest split."""
    fractions = fractions_of(recipe.corpus)
    rules = frozenset(rule.rule for rule in recipe.rules)
    is_bilingual = recipe.task == "translate"
    paths = [chunk.path for chunk in chunks]
    attempts: list[tuple[int, DrawnSplits]] = []
    for how, groups, parts in _attempts(chunks, fractions):
        found = deduplicate(paths, parts, is_bilingual=is_bilingual, rules=rules)
        drawn = DrawnSplits(chunks, how, groups, parts, *found)
        kept = _count(chunks, parts, drawn.verdicts)
        least = least_sizes(int(kept.sum()), fractions)
        is_small = kept[TRAIN] < (1 if how in ("given", "fractions") else kept.max() / 2)
        lacks = [is_small, kept[DEV] < least.dev, kept[TEST] < least.test]
        if not any(lacks):
            return drawn
        needed = [TRAIN, *(part for part, size in ((DEV, least.dev), (TEST, least.test)) if size)]
        attempts.append((int(kept[needed].min()), drawn))
    return max(attempts, key=lambda attempt: attempt[0])[1]


def drawn_split(corpus: CorpusConfig) -> str:
    """Returns the `split` of sources from which splits are drawn: `auto`; if no source has it,
    `train`, from which only dev is drawn."""
    return "auto" if any(source.split == "auto" for source in corpus.sources) else "train"


def wants_dev(corpus: CorpusConfig) -> bool:
    """Tells whether the recipe wants a dev split. Without one, `fit` learns train by heart."""
    return corpus.dev_fraction > 0 or any(source.split == "dev" for source in corpus.sources)


def fractions_of(corpus: CorpusConfig) -> Fractions:
    """Returns the fractions to draw for dev and test: 0 if a source is given as that split, and no
    test if every source belongs to train."""
    given = {source.split for source in corpus.sources}
    dev = 0.0 if "dev" in given else corpus.dev_fraction
    return Fractions(dev, 0.0 if "test" in given or "auto" not in given else corpus.test_fraction)


def _attempts(chunks: Sequence[Chunk], fractions: Fractions) -> Iterator[tuple[How, int, Parts]]:
    """Yields method, number of groups and splits: first the methods for large corpora, then those
    for small ones."""
    parts = _by_fractions(chunks, fractions)
    if not any(fractions):
        yield "given", 0, parts
        return
    sizes = _count(chunks, parts)
    leaves_train = sizes[TRAIN] >= (1 - sum(fractions)) / 2 * sizes.sum()
    if leaves_train:
        yield "fractions", 0, parts
    if sizes.sum():
        yield from _larger_splits(chunks, fractions, parts)
    if not leaves_train:
        yield "fractions", 0, parts


def _by_fractions(chunks: Sequence[Chunk], fractions: Fractions) -> Parts:
    parts: Parts = np.zeros(sum(chunk.rows for chunk in chunks), np.uint8)
    for chunk, span in _spans(chunks):
        if chunk.is_drawn:
            parts[span] = draw_by_fraction(_column(chunk, "place"), fractions)
        else:
            parts[span] = _PART_OF[chunk.split]
    return parts


def _larger_splits(
    chunks: Sequence[Chunk], fractions: Fractions, parts: Parts
) -> Iterator[tuple[How, int, Parts]]:
    used = [chunk for chunk in chunks if chunk.is_drawn]
    places = np.concatenate([_column(chunk, "place") for chunk in used])
    is_start = np.concatenate([_column(chunk, "talk_key") for chunk in used]) == 0
    is_drawn = np.repeat([chunk.is_drawn for chunk in chunks], [chunk.rows for chunk in chunks])
    groups = len(np.unique(places))

    def whole(drawn: Parts) -> Parts:
        found = parts.copy()
        found[is_drawn] = drawn
        return found

    shares = Sizes(*(int(fraction * len(places)) for fraction in fractions))
    least = [least_sizes(len(places), fractions, times) for times in GROWTH]
    by_fractions = Sizes(*map(max, shares, least[0]))
    for wanted in (by_fractions, *least):
        if (drawn := draw_groups(places, wanted)) is not None:
            yield "groups", groups, whole(drawn)
    for wanted in (by_fractions, *least):
        if (drawn := draw_stretches(is_start, wanted)) is not None:
            yield "stretches", groups, whole(drawn)


def _column(chunk: Chunk, name: str) -> NDArray[np.uint64]:
    return np.asarray(open_chunk(chunk.path).get_batch(0)[name].to_numpy())


def _spans(chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, slice]]:
    """Yields each chunk with the places of its rows among all candidates."""
    start = 0
    for chunk in chunks:
        yield chunk, slice(start, start + chunk.rows)
        start += chunk.rows


def _count(chunks: Sequence[Chunk], parts: Parts, verdicts: Verdicts | None = None) -> Int64:
    """Counts the drawn candidates of each split; with verdicts, only the kept ones."""
    sizes = np.zeros(len(SPLITS), np.int64)
    for chunk, span in _spans(chunks):
        if chunk.is_drawn:
            own = parts[span]
            kept = own if verdicts is None else own[verdicts[span] == KEPT]
            sizes += np.bincount(kept, minlength=len(SPLITS))
    return sizes
