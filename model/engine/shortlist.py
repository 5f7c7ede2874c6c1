"""Shortlists: frequent and likely words of the vocabulary that a source may need.

Choosing among some hundred candidates takes a fraction of the time of the whole vocabulary (Jean et
al. 2015, arXiv:1412.2007, section 3.3). The last candidate stands for all words that are left out:
its logit is an estimate of their logsumexp, a linear function of the readout. Every source has the
same number of candidates, so that the numbers of a request do not depend on its batch. With a few
rows, each is multiplied by copies of its candidates' columns; with many, all are multiplied by the
whole projection and the candidates of each row are gathered. Integer sums are exact, so both give
the same bits.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, fields
from typing import Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from model.contract import resized
from model.errors import FolderError
from model.types import Array, Float32, Indices, Int32

#: Errors of NumPy and its archives for a damaged file or one without arrays.
READ_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    OSError,
    EOFError,
    RuntimeError,
    BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Shortlist:
    """The choice of candidates.

    Attributes:
        frequent: int32 `(vocab_size,)`, target tokens, most frequent first.
        likely: int32 `(source_vocab_size, n)`, likely target tokens of each source token, likeliest
            first.
        always: number of tokens of `frequent` that every source gets.
        size: number of candidates per source, > `always`.
        columns: int8 `(vocab_size + 1, readout_units)`, the projection, and at the end the estimate
            for the words that are left out.
        scales, bias: float32 `(vocab_size + 1,)`.
    """

    frequent: Int32
    likely: Int32
    always: int
    size: int
    columns: NDArray[np.int8]
    scales: Float32
    bias: Float32

    def to_bytes(self) -> bytes:
        """Returns the contents of a file of arrays."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, **{each.name: getattr(self, each.name) for each in fields(self)}
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Reads the result of `to_bytes`.

        Raises:
            FolderError: if it cannot be read.
        """
        try:
            with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
                found = {each.name: arrays[each.name] for each in fields(cls)}
            made = cls(**{**found, "always": int(found["always"]), "size": int(found["size"])})
            if len(made.columns) != len(made.frequent) + 1:
                raise ValueError("it is of an earlier version")
            return made
        except READ_ERRORS as error:
            raise FolderError(f"the shortlist cannot be read; export it again ({error})") from None

    def candidates(self, source_ids: Int32, source_lengths: Int32) -> dict[str, Array]:
        """Returns the candidates of each source `(batch, source_len)`: `candidates` int32 `(batch,
        size)`, ascending, `vocab_size` for all others, and the projection's `scales` and `bias` for
        them, float32 `(batch, 1, size)`."""
        rows = zip(source_ids, source_lengths, strict=True)
        tokens = np.stack([self.tokens(row[:length]) for row, length in rows])
        scales, bias = self.scales[tokens][:, None], self.bias[tokens][:, None]
        return {"candidates": tokens, "scales": scales, "bias": bias}

    def tokens(self, source: Int32) -> Int32:
        """Returns the candidates of one source `(source_len,)`, ascending: the most frequent
        tokens, then the likely ones in turn for each source token, then more frequent ones, and
        `vocab_size` for all others."""
        always, further = self.frequent[: self.always], self.frequent[self.always : self.size]
        others = np.array([len(self.frequent)], np.int32)
        order = np.concatenate([always, self.likely[source].T.ravel(), further])
        places = np.arange(len(order), dtype=np.int32)
        first = np.empty(len(self.frequent), np.int32)
        first[order[::-1]] = places[::-1]  # among duplicates, the last write wins
        chosen = order[first[order] == places][: self.size - 1]
        return np.concatenate([np.sort(chosen), others])


class ShortlistColumns:
    """The projection's columns for the candidates of each slot, copied on first use."""

    def __init__(self, shortlist: Shortlist) -> None:
        self._shortlist = shortlist
        units = shortlist.columns.shape[1]
        self._columns = np.zeros((0, units, shortlist.size), np.int8)
        self._are_copied = np.zeros(0, bool)

    def invalidate(self, slots: Indices) -> None:
        """Marks `slots` as having new candidates."""
        self._are_copied[slots[slots < len(self._are_copied)]] = False

    def columns_for(self, candidates: Int32) -> NDArray[np.int8]:
        """Returns int8 `(slots, readout_units, size)`, the columns of the `candidates` `(slots,
        size)` of the first slots."""
        count, known = len(candidates), len(self._are_copied)
        if count > known:
            self._columns = resized(self._columns, 2 * count, *self._columns.shape[1:])
            self._are_copied = resized(self._are_copied, 2 * count)
        for slot in np.flatnonzero(~self._are_copied[:count]).tolist():
            own = self._shortlist.columns.take(candidates[slot], axis=0)
            self._columns[slot] = _transposed(own)
            self._are_copied[slot] = True
        return self._columns[:count]


def _transposed(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """Copies `matrix.T` eight bytes at a time, faster than NumPy, which copies single bytes."""
    rows, columns = matrix.shape
    if columns % 8:
        return np.ascontiguousarray(matrix.T)
    eights = np.ascontiguousarray(matrix.view(np.uint64).T).view(np.int8)
    return np.ascontiguousarray(eights.reshape(-1, rows, 8).transpose(0, 2, 1)).reshape(-1, rows)
