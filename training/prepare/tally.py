"""Counts of what became of examples, with a few of each kind; tallies of pieces add up."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

SAMPLES_SHOWN = 20
LONGEST_SAMPLE = 200

#: (place in a drawn order, origin, source, target)
Sample = tuple[int, str, str, str]


@dataclass
class Tally:
    """Counts by kind, and `SAMPLES_SHOWN` samples of each, drawn by their origin: the same ones
    whatever the pieces and their order."""

    counts: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    _limits: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, origin: str, source: str, target: str = "") -> None:
        """Counts one example of `kind`."""
        self.counts[kind] += 1
        place = zlib.crc32(origin.encode("utf-8", "replace"))
        if place > self._limits.get(kind, place):
            return
        shown = self.samples.setdefault(kind, [])
        shown.append((place, origin, source[:LONGEST_SAMPLE], target[:LONGEST_SAMPLE]))
        if len(shown) >= 4 * SAMPLES_SHOWN:
            shown[:] = _first(shown)
            self._limits[kind] = shown[-1][0]

    def merge(self, other: Tally) -> None:
        """Adds what `other` counted."""
        self.counts += other.counts
        for kind, samples in other.samples.items():
            self.samples[kind] = _first([*self.samples.get(kind, []), *samples])

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        samples = {kind: _first(shown) for kind, shown in sorted(self.samples.items())}
        return {"counts": dict(sorted(self.counts.items())), "samples": samples}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Tally:
        """The other way."""
        samples = {
            kind: [(int(place), origin, source, target) for place, origin, source, target in shown]
            for kind, shown in values["samples"].items()
        }
        return cls(Counter(values["counts"]), samples)


def _first(samples: list[Sample]) -> list[Sample]:
    return heapq.nsmallest(SAMPLES_SHOWN, samples)
