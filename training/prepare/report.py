"""Counts of all records by outcome, with samples: the tally of each piece, and `report.json`, which
adds them up. `page.py` renders it for people."""

from __future__ import annotations

import heapq
import os
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from model.tokenizer import UNK_ID
from model.types import Int64
from training.prepare.chunks import read_stats
from training.prepare.inputs import Input
from training.prepare.splits import SPLITS

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

    def add(self, kind: str, origin: str, source: str, target: str = "") -> None:
        """Counts one example of `kind`."""
        self.counts[kind] += 1
        place = zlib.crc32(origin.encode("utf-8", "replace"))
        shown = self.samples.setdefault(kind, [])
        shown.append((place, origin, source[:LONGEST_SAMPLE], target[:LONGEST_SAMPLE]))
        if len(shown) >= 4 * SAMPLES_SHOWN:
            shown[:] = _first(shown)

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
        return cls(Counter(values["counts"]), values["samples"])


def _first(samples: list[Sample]) -> list[Sample]:
    return heapq.nsmallest(SAMPLES_SHOWN, samples)


def count_all(inputs: list[Input], chunks: Iterable[Path]) -> dict[str, Any]:
    """Sums the statistics of chunks of candidates and of rows; returns JSON values. A source's
    `kept` counts each example once, whatever its `repeat`."""
    tallies = [Tally() for _ in inputs]
    counts: dict[tuple[str, str, str], Int64] = {}
    for path in chunks:
        stats = read_stats(path)
        tallies[stats["input"]].merge(Tally.from_json(stats["tally"]))
        for part, sides in stats.get("counts", {}).items():
            for side, kinds in sides.items():
                for kind, values in kinds.items():
                    place = (part, side, kind)
                    counts[place] = _sum(counts.get(place, np.zeros(0, np.int64)), values)
    sources = [
        {
            "source": each.source.model_dump(mode="json"),
            "folder": _folder_of(each),
            **_of_source(tally),
        }
        for each, tally in zip(inputs, tallies, strict=True)
    ]
    return {
        "dropped": dict(sum((Counter(each["dropped"]) for each in sources), Counter())),
        "faults": sum(each["faults"] for each in sources),
        "tokens": {
            part: {
                side: _of_tokens(counts[part, side, "lengths"], counts[part, side, "pieces"])
                for side in ("source", "target")
            }
            for part in SPLITS
            if (part, "source", "lengths") in counts
        },
        "sources": sources,
    }


def _of_tokens(lengths: Int64, pieces: Int64) -> dict[str, Any]:
    """Describes the texts of one side of a split, by the counts of each length and each piece."""
    reached = np.cumsum(lengths) / lengths.sum()
    total = int(pieces.sum())
    return {
        "total": total,
        "mean": round(total / int(lengths.sum()), 2),
        "median": int(np.searchsorted(reached, 0.5)),
        "percentile_95": int(np.searchsorted(reached, 0.95)),
        "longest": int(np.flatnonzero(lengths)[-1]),
        "lengths": lengths.tolist(),
        "unknown_percent": round(100 * (int(pieces[UNK_ID]) / max(1, total)), 4),
        "pieces": len(pieces),
        "pieces_seen": int((pieces > 0).sum()),
        "pieces_seen_100_times": int((pieces >= 100).sum()),
        "coverage": _coverage(pieces),
    }


def _folder_of(given: Input) -> str:
    """Returns the common folder of a source's files, named as in reports."""
    common = os.path.commonpath([file.parent for file in given.files])
    return "" if common == str(given.root) else common.removeprefix(f"{given.root}{os.sep}")


def _of_source(tally: Tally) -> dict[str, Any]:
    counts, samples = tally.to_json().values()
    faults, fault_samples = counts.pop("fault", 0), samples.pop("fault", [])
    kept = {kind: count for kind, count in counts.items() if kind.endswith(": kept")}
    return {
        "kept": {kind.removesuffix(": kept"): count for kind, count in kept.items()},
        "dropped": {kind: count for kind, count in counts.items() if kind not in kept},
        "samples": {
            kind: [[origin, source, target] for _, origin, source, target in shown]
            for kind, shown in samples.items()
        },
        "faults": faults,
        "fault_samples": [f"{origin}: {reason}" for _, origin, reason, _ in fault_samples],
    }


def _sum(one: Int64, other: list[int]) -> Int64:
    """Adds counts by index; the shorter ones have zeros beyond their end."""
    total = np.zeros(max(len(one), len(other)), np.int64)
    total[: len(one)] += one
    total[: len(other)] += other
    return total


def _coverage(pieces: Int64) -> list[list[float]]:
    """Returns points (number of most frequent pieces, their share of all tokens in percent)."""
    reached = np.cumsum(np.sort(pieces)[::-1]) / max(1, pieces.sum())
    steps = np.unique(np.geomspace(1, len(pieces), 40).round().astype(int))
    return [[int(step), round(100 * float(reached[step - 1]), 2)] for step in steps]
