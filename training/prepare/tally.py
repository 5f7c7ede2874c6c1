"""Tallies: counts of examples by outcome, with a few samples of each; they add up over pieces."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

SAMPLES_SHOWN = 20
LONGEST_SAMPLE = 200

#: (rank in a random order, origin, source, target)
Sample = tuple[int, str, str, str]


@dataclass
class Tally:
    """Counts by kind, and `SAMPLES_SHOWN` samples of each. Samples are drawn by their origin, so
    that they do not depend on the pieces or their order."""

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
        """Returns counts and samples as JSON values."""
        samples = {kind: _first(shown) for kind, shown in sorted(self.samples.items())}
        return {"counts": dict(sorted(self.counts.items())), "samples": samples}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Tally:
        """Builds a tally from what `to_json` returned."""
        samples = {
            kind: [(int(place), origin, source, target) for place, origin, source, target in shown]
            for kind, shown in values["samples"].items()
        }
        return cls(Counter(values["counts"]), samples)


def _first(samples: list[Sample]) -> list[Sample]:
    return heapq.nsmallest(SAMPLES_SHOWN, samples)
