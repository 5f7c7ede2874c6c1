"""How many rows an engine computes: what it takes that a row does not depend on its company."""

from __future__ import annotations

from typing import Any

import numpy as np

#: Rows that a step computes at least. A matrix product of one row takes another path than one of
#: several, and rounds differently: a request alone would not get what it gets in company.
FEWEST_ROWS = 2


def at_least(array: Any) -> Any:
    """`array`, its first row repeated where it has fewer than `FEWEST_ROWS`."""
    missing = FEWEST_ROWS - len(array)
    return array if missing <= 0 else np.concatenate([array, *[array[:1]] * missing])
