"""Rows that an engine computes, such that no row depends on the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The fewest rows of a step. A matrix product of one row takes another path than one of several,
#: and rounds differently: a request alone would not get what it gets in a batch.
FEWEST_ROWS = 2


def at_least(array: Any, rows: int = FEWEST_ROWS) -> Any:
    """Returns `array`, with its first row repeated if it has fewer than `rows`."""
    missing = rows - len(array)
    return array if missing <= 0 else np.concatenate([array, *[array[:1]] * missing])


def pick(
    tokens: NDArray[np.int32], logprobs: NDArray[np.float32], wanted: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Returns the log-probabilities of `wanted` `(rows, n)`, for an engine that only returns the
    likeliest tokens: `tokens` and `logprobs` are those of all, `(rows, vocab)`, in any order."""
    by_token = np.full(tokens.shape, -np.inf, np.float32)
    np.put_along_axis(by_token, tokens, logprobs, axis=1)
    return np.take_along_axis(by_token, wanted, axis=1)
