"""Shortlists: the words of the vocabulary that a source may need, frequent and likely ones.

A projection to some hundred candidates takes a fraction of the time of one to the whole vocabulary
(Jean et al. 2015, arXiv:1412.2007, section 3.3). Every source has equally many candidates, so that
a request's numbers do not depend on its batch.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass, fields
from typing import Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from model.contract import Bool, Float32, Int32
from model.errors import FolderError
from model.lazy import lazy

#: Errors of NumPy, and of the archive under it, for a damaged file or one without arrays.
BAD_FILE = (
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
class Candidates:
    """The candidates of each source, and the projection's columns for them.

    Attributes:
        is_used: bool `(sources,)`, whether a source uses its candidates.
        tokens: int32 `(sources, candidates)`, ascending.
        columns: int8 `(sources, readout_units, candidates)`.
        scales, bias: float32 `(sources, 1, candidates)`.
    """

    is_used: Bool
    tokens: Int32
    columns: NDArray[np.int8]
    scales: Float32
    bias: Float32

    @lazy
    def are_all_used(self) -> bool:
        """Tells whether every source uses its candidates."""
        return bool(self.is_used.all())

    @lazy
    def are_none_used(self) -> bool:
        """Tells whether no source uses them."""
        return not self.is_used.any()


@dataclass(frozen=True)
class Shortlist:
    """The choice of candidates.

    Attributes:
        frequent: int32 `(vocab_size,)`, target tokens, the most frequent first.
        likely: int32 `(source_vocab_size, n)`, likely target tokens of each source token, the
            likeliest first.
        always: how many of `frequent` every source has.
        size: candidates of each source, >= `always`.
        columns: int8 `(vocab_size, readout_units)`, the projection.
        scales, bias: float32 `(vocab_size,)`.
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
        """Reads what `to_bytes` wrote.

        Raises:
            FolderError: if it is something else.
        """
        try:
            with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
                found = {each.name: arrays[each.name] for each in fields(cls)}
            return cls(**{**found, "always": int(found["always"]), "size": int(found["size"])})
        except BAD_FILE as error:
            raise FolderError(f"the shortlist cannot be read; export it anew ({error})") from None

    def candidates(self, source_ids: Int32, source_lengths: Int32, is_used: Bool) -> Candidates:
        """Returns the candidates of each source. `source_ids` is `(batch, source_len)`, `is_used`
        `(batch,)`."""
        rows = zip(source_ids, source_lengths, strict=True)
        tokens = np.stack([self.tokens(row[:length]) for row, length in rows])
        columns = np.stack([_transposed(self.columns.take(row, axis=0)) for row in tokens])
        return Candidates(
            is_used, tokens, columns, self.scales[tokens][:, None], self.bias[tokens][:, None]
        )

    def tokens(self, source: Int32) -> Int32:
        """Returns the candidates of one source `(source_len,)`, ascending: the most frequent
        tokens, then the likely ones in turn for each source token, then more frequent ones."""
        always, further = self.frequent[: self.always], self.frequent[self.always : self.size]
        order = np.concatenate([always, self.likely[source].T.ravel(), further])
        places = np.arange(len(order), dtype=np.int32)
        first = np.empty(len(self.frequent), np.int32)
        first[order[::-1]] = places[::-1]  # of equals, the last that is written stays
        return np.sort(order[first[order] == places][: self.size])


def _transposed(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """Copies `matrix.T`, eight bytes at a time: faster than NumPy, which copies single ones."""
    rows, columns = matrix.shape
    if columns % 8:
        return np.ascontiguousarray(matrix.T)
    eights = np.ascontiguousarray(matrix.view(np.uint64).T).view(np.int8)
    return np.ascontiguousarray(eights.reshape(-1, rows, 8).transpose(0, 2, 1)).reshape(-1, rows)
