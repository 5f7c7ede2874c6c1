"""How often Python looks for what only refers to itself."""

from __future__ import annotations

import gc

#: Objects that may be made, and not yet be gone, before it looks. Hundreds of requests that wait
#: are a few thousand; by default it would look through them again and again.
YOUNG_OBJECTS = 20_000


def collect_rarely() -> None:
    """For a process that serves, once it has loaded what stays: that is never looked through."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)
