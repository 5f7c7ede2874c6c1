"""Which slots requests get, and which they move to when most are free."""

from __future__ import annotations

import numpy as np

from model.types import Bool, Places

#: Requests move to lower slots once fewer than one in so many of the slots that are stepped are in
#: use: free slots cost as much as others.
SPARSE_ONE_IN = 2


def lowest_free(in_use: Bool, count: int) -> Places:
    """Returns the `count` lowest free slots `(count,)`; `in_use` `(G,)` are those that exist."""
    taken = np.append(in_use, np.zeros(count, bool))
    return np.flatnonzero(~taken)[:count]


def compaction(in_use: Bool) -> tuple[int, Places, Places]:
    """Returns how many of the slots `(G,)`, some of which are in use, are to be stepped, and what
    must move before: origins and slots, `(n,)` each."""
    used = np.flatnonzero(in_use)
    count = int(used[-1]) + 1
    if used.size * SPARSE_ONE_IN >= count:
        return count, used[:0], used[:0]
    return used.size, used[used >= used.size], np.flatnonzero(~in_use[: used.size])
