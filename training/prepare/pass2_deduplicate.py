"""Second pass: drops duplicates within a split, and leaks, which are candidates with the same key
in two splits. It compares 64-bit keys, in enough rounds to bound memory.

Of duplicates in one split, the first is kept. A leak is kept in one split only. Published splits
are not changed; otherwise a sentence pair stays in test rather than dev, and in dev rather than
train, whatever its direction and its target tag. Exchanges are different: people say `hello` and
`hi` in every conversation, and a model must learn the most frequent exchanges, so an exchange that
also occurs in train is dropped from the drawn splits. Only if the turns before it are equal too is
it the same conversation, and train drops it. The drawn splits also lose near duplicates of train,
where the recipe has that rule: of a pattern such as `room 12`, train keeps one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.types import Int64
from training.prepare.chunks import open_chunk
from training.prepare.splits import Parts

#: Number of keys per round; each takes about 60 bytes while it is sorted.
ROUND_KEYS = 4_000_000

KEPT, DUPLICATE, NEAR_DUPLICATE, IN_TRAIN, IN_DEV, IN_TEST = range(6)
VERDICTS = ("kept", "duplicate", "near_duplicate", "also in train", "also in dev", "also in test")

#: A split as one bit: train, drawn dev, published dev, drawn test, published test.
_TRAIN, _DEV, _PUBLISHED_DEV, _TEST, _PUBLISHED_TEST = (1 << i for i in range(5))
_BIT = np.array([[_TRAIN, _TRAIN], [_DEV, _PUBLISHED_DEV], [_TEST, _PUBLISHED_TEST]], np.uint8)
_ALL_DEV, _ALL_TEST = _DEV | _PUBLISHED_DEV, _TEST | _PUBLISHED_TEST

#: (splits that drop a candidate, if one of these splits has it too, with this verdict)
_LeakPolicy = tuple[tuple[int, int, int], ...]
_HELD_OUT_FIRST: _LeakPolicy = (
    (_TRAIN, _ALL_TEST, IN_TEST),
    (_TRAIN, _ALL_DEV, IN_DEV),
    (_DEV, _ALL_TEST, IN_TEST),
    (_TEST, _PUBLISHED_DEV, IN_DEV),
)
_TRAIN_FIRST: _LeakPolicy = (
    (_TRAIN, _PUBLISHED_TEST, IN_TEST),
    (_TRAIN, _PUBLISHED_DEV, IN_DEV),
    (_DEV, _ALL_TEST, IN_TEST),
    (_TEST, _PUBLISHED_DEV, IN_DEV),
    (_DEV | _TEST, _TRAIN, IN_TRAIN),
)

Keys = NDArray[np.uint64]
Verdicts = NDArray[np.uint8]


@dataclass(frozen=True)
class _Round:
    """Candidates that are compared with each other: their indices, keys and splits."""

    indices: Int64
    keys: Keys
    bits: NDArray[np.uint8]

    def sort_kept(self, verdicts: Verdicts) -> _Round:
        """Returns the candidates kept so far, sorted by key, then split, then index."""
        alive = np.flatnonzero(verdicts[self.indices] == KEPT)
        order = alive[np.lexsort((self.bits[alive], self.keys[alive]))]
        return _Round(self.indices[order], self.keys[order], self.bits[order])


def deduplicate(
    chunks: Sequence[Path], parts: Parts, *, is_bilingual: bool, rules: frozenset[str]
) -> tuple[Verdicts, Counter[str]]:
    """Decides which candidates to keep.

    Args:
        chunks: files of candidates, in order.
        parts: split of each candidate as an index into SPLITS, `(candidates,)`.
        is_bilingual: whether candidates are sentence pairs; else exchanges.
        rules: names of the recipe's rules; only `duplicate` and `near_duplicate` matter.

    Returns:
        a verdict for each candidate as an index into `VERDICTS`, uint8 `(candidates,)`; and the
        number of candidates of one split whose key also occurs in another split.
    """
    verdicts = np.full(len(parts), KEPT, np.uint8)
    common: Counter[str] = Counter()
    if is_bilingual:
        leaks = [("pairs", "pair_key", _HELD_OUT_FIRST)]
    else:
        leaks = [
            ("conversations", "talk_key", _HELD_OUT_FIRST),
            ("exchanges", "key", _TRAIN_FIRST),
        ]
    if "near_duplicate" in rules:
        leaks.append(("near duplicates", "near_key", _TRAIN_FIRST))
    for kind, column, policy in leaks:
        for each in _rounds(chunks, parts, column):
            for both, count in _resolve_leaks(verdicts, each, policy).items():
                common[f"{kind}: {both}"] += count
    for rule, column, verdict in (
        ("duplicate", "key", DUPLICATE),
        ("near_duplicate", "near_key", NEAR_DUPLICATE),
    ):
        if rule in rules:
            for each in _rounds(chunks, parts, column):
                _drop_repeats(verdicts, each, verdict)
    return verdicts, +common


def _rounds(chunks: Sequence[Path], parts: Parts, column: str) -> Iterator[_Round]:
    """Yields all candidates that have a key, a share of the keys per round."""
    rounds = -(-len(parts) // ROUND_KEYS)
    for number in range(rounds):
        shares = [*_shares(chunks, parts, column, number, rounds)]
        yield _Round(
            np.concatenate([share.indices for share in shares]),
            np.concatenate([share.keys for share in shares]),
            np.concatenate([share.bits for share in shares]),
        )


def _shares(
    chunks: Sequence[Path], parts: Parts, column: str, number: int, rounds: int
) -> Iterator[_Round]:
    """Yields the candidates of each chunk that belong to a round."""
    start = 0
    for path in chunks:
        batch = open_chunk(path).get_batch(0)
        keys = batch[column].to_numpy()
        chosen = np.flatnonzero((keys % np.uint64(rounds) == number) & (keys != 0))
        is_published = batch["is_published"].to_numpy(zero_copy_only=False).astype(np.uint8)
        bits = _BIT[parts[start + chosen], is_published[chosen]]
        yield _Round(start + chosen, keys[chosen], bits)
        start += batch.num_rows


def _resolve_leaks(verdicts: Verdicts, given: _Round, policy: _LeakPolicy) -> Counter[str]:
    """Drops candidates that occur in two splits from one of them, according to `policy`. Returns
    the counts of common keys."""
    found = given.sort_kept(verdicts)
    if not len(found.keys):
        return Counter()
    starts = np.flatnonzero(np.r_[True, found.keys[1:] != found.keys[:-1]])
    all_bits = np.bitwise_or.reduceat(found.bits, starts)
    all_bits = np.repeat(all_bits, np.diff(np.r_[starts, len(found.keys)]))
    for dropping, keeping, verdict in policy:
        is_leak = (found.bits & dropping != 0) & (all_bits & keeping != 0)
        indices = found.indices[is_leak]
        verdicts[indices] = np.where(verdicts[indices] == KEPT, verdict, verdicts[indices])
    return Counter(
        {
            f"{one} and {other}": int(((found.bits & bits != 0) & (all_bits & others != 0)).sum())
            for one, bits, other, others in (
                ("train", _TRAIN, "dev", _ALL_DEV),
                ("train", _TRAIN, "test", _ALL_TEST),
                ("dev", _ALL_DEV, "test", _ALL_TEST),
            )
        }
    )


def _drop_repeats(verdicts: Verdicts, given: _Round, verdict: int) -> None:
    """Drops all but the first of equal candidates in a split, unless it is published."""
    found = given.sort_kept(verdicts)
    is_again = (found.keys[1:] == found.keys[:-1]) & (found.bits[1:] == found.bits[:-1])
    is_again &= found.bits[1:] & (_PUBLISHED_DEV | _PUBLISHED_TEST) == 0
    verdicts[found.indices[1:][is_again]] = verdict
