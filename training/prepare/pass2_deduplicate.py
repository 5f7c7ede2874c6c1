"""The second pass: which candidates equal others, in the same part or in two. It compares keys of
64 bits, in as many rounds as keep memory within bounds.

Whatever is found twice in one part is kept once, the first time. What stands in two parts, by the
same key, stays in one. A part that was given (published) stays whole; otherwise a pair to translate
stays in test rather than dev, in dev rather than train. Exchanges are different: people say `hello`
and `hi` in every conversation, and a model that must not learn what is said most is a poor one. So
an exchange that train has too is taken out of the drawn parts. Only if the turns before it are the
same as well, it is the same conversation, and leaves train.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.prepare.chunks import open_chunk
from training.prepare.splits import Parts

#: Keys that are compared at a time: about 60 bytes each while they are sorted.
ROUND_KEYS = 4_000_000
BLOCK_BYTES = 2**20

KEPT, DUPLICATE, NEAR_DUPLICATE, IN_TRAIN, IN_DEV, IN_TEST = range(6)
VERDICTS = ("kept", "duplicate", "near_duplicate", "also in train", "also in dev", "also in test")

#: A part as one bit: train, drawn dev, given dev, drawn test, given test.
_TRAIN, _DEV, _GIVEN_DEV, _TEST, _GIVEN_TEST = (1 << i for i in range(5))
_BIT = np.array([[_TRAIN, _TRAIN], [_DEV, _GIVEN_DEV], [_TEST, _GIVEN_TEST]], np.uint8)
_ALL_DEV, _ALL_TEST = _DEV | _GIVEN_DEV, _TEST | _GIVEN_TEST

#: (a candidate of these parts, leaves if one of those parts has it, with this verdict)
_Order = tuple[tuple[int, int, int], ...]
_HELD_OUT_FIRST: _Order = (
    (_TRAIN, _ALL_TEST, IN_TEST),
    (_TRAIN, _ALL_DEV, IN_DEV),
    (_DEV, _ALL_TEST, IN_TEST),
    (_TEST, _GIVEN_DEV, IN_DEV),
)
_TRAIN_FIRST: _Order = (
    (_TRAIN, _GIVEN_TEST, IN_TEST),
    (_TRAIN, _GIVEN_DEV, IN_DEV),
    (_DEV, _ALL_TEST, IN_TEST),
    (_TEST, _GIVEN_DEV, IN_DEV),
    (_DEV | _TEST, _TRAIN, IN_TRAIN),
)

Keys = NDArray[np.uint64]
Verdicts = NDArray[np.uint8]


@dataclass(frozen=True)
class _Round:
    """Candidates that are compared with each other: their places, keys and parts."""

    places: NDArray[np.int64]
    keys: Keys
    bits: NDArray[np.uint8]

    def sorted_among(self, verdicts: Verdicts) -> _Round:
        """Those that are kept so far: by key, by part, and as they come."""
        alive = np.flatnonzero(verdicts[self.places] == KEPT)
        order = alive[np.lexsort((self.bits[alive], self.keys[alive]))]
        return _Round(self.places[order], self.keys[order], self.bits[order])


def judge(
    chunks: Sequence[Path],
    rows: Sequence[int],
    parts: Parts,
    path: Path,
    *,
    is_bilingual: bool,
    rules: frozenset[str],
) -> tuple[Verdicts, Counter[str]]:
    """A verdict for each candidate.

    Args:
        chunks: candidates, in order.
        rows: how many each has.
        parts: of all, places in SPLITS, `(candidates,)`.
        path: a file for the verdicts.
        is_bilingual: pairs to translate, not exchanges.
        rules: names of the recipe's rules; of interest are `duplicate` and `near_duplicate`.

    Returns:
        places in `VERDICTS`, uint8 `(candidates,)`, mapped from `path`; and what parts have in
        common: how many candidates of one (`test`) are in another (`train`) by the same key.
    """
    total = sum(rows)
    if not total:
        return np.zeros(0, np.uint8), Counter()
    with path.open("wb") as file:  # in full: a mapped file on a full disk ends the process
        for start in range(0, total, BLOCK_BYTES):
            file.write(bytes(min(BLOCK_BYTES, total - start)))
    verdicts: Verdicts = np.memmap(path, np.uint8, "r+", shape=(total,))
    common: Counter[str] = Counter()
    if is_bilingual:
        leaks = [("pairs", "key", _HELD_OUT_FIRST)]
    else:
        leaks = [
            ("conversations", "talk_key", _HELD_OUT_FIRST),
            ("exchanges", "key", _TRAIN_FIRST),
        ]
    for kind, column, order in leaks:
        for each in _rounds(chunks, rows, parts, column):
            for both, count in _part(verdicts, each, order).items():
                common[f"{kind}: {both}"] += count
    for rule, column, verdict in (
        ("duplicate", "key", DUPLICATE),
        ("near_duplicate", "near_key", NEAR_DUPLICATE),
    ):
        if rule in rules:
            for each in _rounds(chunks, rows, parts, column):
                _thin(verdicts, each, verdict)
    verdicts.flush()  # type: ignore[attr-defined]
    return verdicts, common


def _rounds(
    chunks: Sequence[Path], rows: Sequence[int], parts: Parts, column: str
) -> Iterator[_Round]:
    """All candidates that have a key, a share of the keys at a time, in order."""
    rounds = -(-sum(rows) // ROUND_KEYS)
    starts = np.cumsum([0, *rows[:-1]])
    for number in range(rounds):
        shares = [
            _share(path, int(start), parts[start : start + count], column, number, rounds)
            for path, start, count in zip(chunks, starts, rows, strict=True)
            if count
        ]
        yield _Round(
            np.concatenate([share.places for share in shares]),
            np.concatenate([share.keys for share in shares]),
            np.concatenate([share.bits for share in shares]),
        )


def _share(path: Path, start: int, parts: Parts, column: str, number: int, rounds: int) -> _Round:
    batch = open_chunk(path).get_batch(0)
    keys = batch[column].to_numpy()
    mine = np.flatnonzero((keys % np.uint64(rounds) == number) & (keys != 0))
    is_given = batch["is_published"].to_numpy(zero_copy_only=False).astype(np.uint8)
    bits = _BIT[parts[mine], is_given[mine]]
    return _Round(start + mine, keys[mine], bits)


def _part(verdicts: Verdicts, given: _Round, order: _Order) -> Counter[str]:
    """Takes what stands in two parts out of one. Returns what parts had in common."""
    found = given.sorted_among(verdicts)
    if not len(found.keys):
        return Counter()
    starts = np.flatnonzero(np.r_[True, found.keys[1:] != found.keys[:-1]])
    all_bits = np.bitwise_or.reduceat(found.bits, starts)
    all_bits = np.repeat(all_bits, np.diff(np.r_[starts, len(found.keys)]))
    for mine, theirs, verdict in order:
        leaving = (found.bits & mine != 0) & (all_bits & theirs != 0)
        places = found.places[leaving]
        verdicts[places] = np.where(verdicts[places] == KEPT, verdict, verdicts[places])
    return Counter(
        {
            f"{here} and {there}": int(((found.bits & mine != 0) & (all_bits & theirs != 0)).sum())
            for here, mine, there, theirs in (
                ("train", _TRAIN, "dev", _ALL_DEV),
                ("train", _TRAIN, "test", _ALL_TEST),
                ("dev", _ALL_DEV, "test", _ALL_TEST),
            )
        }
    )


def _thin(verdicts: Verdicts, given: _Round, verdict: int) -> None:
    """Of equal ones in a part that was not given, the first is kept."""
    found = given.sorted_among(verdicts)
    is_again = (found.keys[1:] == found.keys[:-1]) & (found.bits[1:] == found.bits[:-1])
    is_again &= found.bits[1:] & (_GIVEN_DEV | _GIVEN_TEST) == 0
    verdicts[found.places[1:][is_again]] = verdict
