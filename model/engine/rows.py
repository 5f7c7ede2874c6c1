"""How many rows an engine computes: what it takes that a row does not depend on its company."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Rows that a step computes at least. A matrix product of one row takes another path than one of
#: several, and rounds differently: a request alone would not get what it gets in company.
FEWEST_ROWS = 2


def at_least(array: Any, rows: int = FEWEST_ROWS) -> Any:
    """`array`, its first row repeated where it has fewer than `rows`."""
    missing = rows - len(array)
    return array if missing <= 0 else np.concatenate([array, *[array[:1]] * missing])


def pick(
    tokens: NDArray[np.int32], logprobs: NDArray[np.float32], wanted: NDArray[np.int32]
) -> NDArray[np.float32]:
    """The log-probabilities of `wanted` `(rows, n)`, for an engine that can only tell those of the
    likeliest: `tokens` and `logprobs` `(rows, vocab)` of all of them, in any order."""
    by_token = np.full(tokens.shape, -np.inf, np.float32)
    np.put_along_axis(by_token, tokens, logprobs, axis=1)
    return np.take_along_axis(by_token, wanted, axis=1)
