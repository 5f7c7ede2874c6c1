"""Blocked sequences of tokens, of any number of requests.

However many there are, a step looks only at those whose last token but one is the hypothesis' last:
they are sorted by it. Blocked single tokens are in a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from model.types import Bool, Int32, Int64, Places

#: Bits of a token in a key, below those of its request.
TOKEN_BITS = 32


@dataclass(frozen=True)
class BlockedSequences:
    """The blocked sequences of one request.

    Attributes:
        singles: int32 `(n,)`, the sequences of one token.
        before_last: int32 `(m,)`, the last token but one of each longer sequence, ascending.
        sizes: int32 `(m,)`, its tokens.
        tokens: int32 `(sum of sizes,)`, those sequences one after the other.
    """

    singles: Int32
    before_last: Int32
    sizes: Int32
    tokens: Int32

    @classmethod
    def of(cls, sequences: Iterable[Sequence[int]]) -> BlockedSequences:
        """Builds them from sequences, none empty, in any order."""
        distinct = {tuple(each) for each in sequences}
        longer = sorted((each for each in distinct if len(each) > 1), key=lambda each: each[-2])
        return cls(
            np.array([each[0] for each in distinct if len(each) == 1], np.int32),
            np.array([each[-2] for each in longer], np.int32),
            np.array([len(each) for each in longer], np.int32),
            np.array([token for each in longer for token in each], np.int32),
        )


@dataclass(frozen=True)
class BlockedTokens:
    """The tokens that are blocked in each row, whatever its history.

    Attributes:
        table: bool `(lines, tokens)`; tokens in its last column, or beyond, are not blocked.
        lines: `(rows,)`, the line of each row.
        most_in_a_row: the largest number of blocked tokens in a row.
    """

    table: Bool
    lines: Places
    most_in_a_row: int

    def among(self, candidates: Int32) -> Bool:
        """Tells which of `candidates` `(rows, n)` are blocked."""
        columns = np.minimum(candidates, self.table.shape[1] - 1)
        found: Bool = self.table[self.lines[:, None], columns]
        return found


class Blocked:
    """The blocked sequences of a number of requests, in their order."""

    def __init__(self, requests: Sequence[BlockedSequences]) -> None:
        places = np.arange(len(requests))
        counts = [len(each.before_last) for each in requests]
        before_last = np.concatenate([each.before_last for each in requests])
        self._keys = _keys(np.repeat(places, counts), before_last)
        self._sizes = np.concatenate([each.sizes for each in requests])
        self._ends = np.cumsum(self._sizes) - 1
        self._tokens = np.concatenate([each.tokens for each in requests])
        sizes = np.array([len(each.singles) for each in requests])
        self._most_singles = int(sizes.max())
        if self._most_singles:
            # The first line is for all that block none.
            self._lines = np.where(sizes > 0, np.cumsum(sizes > 0), 0)
            singles = np.concatenate([each.singles for each in requests])
            shape = self._lines.max() + 1, singles.max() + 2
            self._table = np.zeros(shape, bool)
            self._table[np.repeat(self._lines, sizes), singles] = True

    def singles(self, requests: Places) -> BlockedTokens | None:
        """Returns the single tokens that are blocked in rows of `requests` `(rows,)`, if any."""
        if not self._most_singles:
            return None
        return BlockedTokens(self._table, self._lines[requests], self._most_singles)

    def ends(
        self, tokens: Int32, lengths: Int32, last: Int32, requests: Places
    ) -> tuple[Places, Int32]:
        """Returns rows, and the last token of each longer sequence whose other tokens end the row's
        history. The arguments are as in `model.search.constraints.Histories`."""
        keys = _keys(requests, last)
        first = np.searchsorted(self._keys, keys, "left")
        counts = np.searchsorted(self._keys, keys, "right") - first
        rows = np.repeat(np.arange(len(keys)), counts)
        found = np.arange(len(rows)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        fits = lengths[rows] >= self._sizes[found] - 1
        rows, found = rows[fits], found[fits]
        for back in range(2, int(self._sizes[found].max(initial=0))):
            is_over = self._sizes[found] <= back
            place = (lengths[rows] - back).clip(0)
            fits = is_over | (tokens[rows, place] == self._tokens[self._ends[found] - back])
            rows, found = rows[fits], found[fits]
        return rows, self._tokens[self._ends[found]]


def holds_any(ids: Sequence[int], sequences: Iterable[Sequence[int]]) -> bool:
    """Tells whether `ids` contains any of `sequences`, none empty."""
    whole = tuple(ids)
    sought = {tuple(each) for each in sequences}
    sizes = {len(each) for each in sought}
    return any(
        whole[start : start + size] in sought
        for size in sizes
        for start in range(len(whole) - size + 1)
    )


def _keys(requests: Places, tokens: Int32) -> Int64:
    """Returns numbers in the order of requests and, within each, of tokens."""
    return requests.astype(np.int64) << TOKEN_BITS | tokens
