"""What became of every record, for people: counts, and the first few of each kind."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from training.corpus.records import Example, Fault
from training.corpus.shards import Shard
from training.corpus.splits import Split
from training.recipe import SourceConfig

SAMPLES_SHOWN = 20
LONGEST_SAMPLE = 80


class SourceReport:
    """What became of the records of one source.

    Args:
        source: the recipe's entry.
    """

    def __init__(self, source: SourceConfig) -> None:
        self._source = source
        self.kept: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.also_in_train: Counter[str] = Counter()
        self.dropped_samples: dict[str, list[str]] = {}
        self.faults = 0
        self.fault_samples: list[str] = []

    def keep(self, part: Split, *, is_in_train: bool = False) -> None:
        """Counts an example of `part`; `is_in_train` tells one of a given dev or test set, which
        stays whole, that train has word for word."""
        self.kept[part] += 1
        if is_in_train:
            self.also_in_train[part] += 1

    def drop(self, part: Split, rule: str, example: Example) -> None:
        """Counts an example that `rule` leaves out of `part`."""
        name = f"{part}: {rule}"
        self.dropped[name] += 1
        shown = self.dropped_samples.setdefault(name, [])
        if len(shown) < SAMPLES_SHOWN:
            source, target = example.source[-1][:LONGEST_SAMPLE], example.target[:LONGEST_SAMPLE]
            shown.append(f"{example.origin}: {source} => {target}")

    def fault(self, fault: Fault) -> None:
        """Counts a record that could not be read."""
        self.faults += 1
        if len(self.fault_samples) < SAMPLES_SHOWN:
            self.fault_samples.append(f"{fault.origin}: {fault.reason}")

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON knows it."""
        return {
            "source": self._source.model_dump(mode="json"),
            "kept": dict(self.kept),
            "dropped": dict(self.dropped),
            "also_in_train": dict(self.also_in_train),
            "dropped_samples": self.dropped_samples,
            "faults": self.faults,
            "fault_samples": self.fault_samples,
        }


def summarise(reports: list[SourceReport], parts: dict[Split, Shard]) -> dict[str, Any]:
    """The whole report: `kept` counts rows as they are trained on, a source's own `kept` counts
    each example once."""
    return {
        "kept": {part: len(shard) for part, shard in parts.items()},
        "dropped": dict(sum((report.dropped for report in reports), Counter())),
        "faults": sum(report.faults for report in reports),
        "tokens": {
            part: {
                "source": _lengths(shard.source_lengths),
                "target": _lengths(shard.target_lengths),
            }
            for part, shard in parts.items()
            if len(shard)
        },
        "sources": [report.as_dict() for report in reports],
    }


def _lengths(lengths: Any) -> dict[str, float]:
    middle, most = np.percentile(lengths, [50, 95])
    return {
        "total": int(lengths.sum()),
        "mean": round(float(lengths.mean()), 2),
        "median": float(middle),
        "percentile_95": float(most),
        "longest": int(lengths.max()),
    }
