"""Blocked sequences of tokens, of any number of requests.

Sequences are sorted by their penultimate token, so that a step looks only at those whose
penultimate token is the last token of a hypothesis. Blocked single tokens are in a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from model.types import Bool, Indices, Int32, Int64

#: Number of bits of a token in a key, below the bits of its request.
TOKEN_BITS = 32


@dataclass(frozen=True)
class BlockedSequences:
    """The blocked sequences of one request.

    Attributes:
        singles: int32 `(n,)`, the sequences of one token.
        penultimate: int32 `(m,)`, the penultimate token of each longer sequence, ascending.
        sizes: int32 `(m,)`, number of tokens of each longer sequence.
        tokens: int32 `(sum of sizes,)`, the longer sequences, concatenated.
    """

    singles: Int32
    penultimate: Int32
    sizes: Int32
    tokens: Int32

    @classmethod
    def build(cls, sequences: Iterable[Sequence[int]]) -> BlockedSequences:
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
        table: bool `(table_rows, tokens)`; tokens in its last column, or beyond, are not blocked.
        table_rows: `(rows,)`, the line of each row.
        max_per_row: the largest number of blocked tokens in a row.
    """

    table: Bool
    table_rows: Indices
    max_per_row: int

    def contains(self, candidates: Int32) -> Bool:
        """Tells which of `candidates` `(rows, n)` are blocked."""
        columns = np.minimum(candidates, self.table.shape[1] - 1)
        found: Bool = self.table[self.table_rows[:, None], columns]
        return found


class BlockedBatch:
    """The blocked sequences of several requests, in order."""

    def __init__(self, requests: Sequence[BlockedSequences]) -> None:
        places = np.arange(len(requests))
        counts = [len(each.penultimate) for each in requests]
        penultimate = np.concatenate([each.penultimate for each in requests])
        self._keys = _keys(np.repeat(places, counts), penultimate)
        self._sizes = np.concatenate([each.sizes for each in requests])
        self._ends = np.cumsum(self._sizes) - 1
        self._tokens = np.concatenate([each.tokens for each in requests])
        sizes = np.array([len(each.singles) for each in requests])
        self._max_singles = int(sizes.max())
        if self._max_singles:
            # The first row is for all requests that block none.
            self._table_rows = np.where(sizes > 0, np.cumsum(sizes > 0), 0)
            singles = np.concatenate([each.singles for each in requests])
            shape = self._table_rows.max() + 1, singles.max() + 2
            self._table = np.zeros(shape, bool)
            self._table[np.repeat(self._table_rows, sizes), singles] = True

    def singles(self, requests: Indices) -> BlockedTokens | None:
        """Returns the single tokens that are blocked in rows of `requests` `(rows,)`, if any."""
        if not self._max_singles:
            return None
        return BlockedTokens(self._table, self._table_rows[requests], self._max_singles)

    def completions(
        self, tokens: Int32, lengths: Int32, last: Int32, requests: Indices
    ) -> tuple[Indices, Int32]:
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


def _keys(requests: Indices, tokens: Int32) -> Int64:
    """Returns integer keys that sort by request, then by token."""
    return requests.astype(np.int64) << TOKEN_BITS | tokens
