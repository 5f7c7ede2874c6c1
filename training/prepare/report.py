"""Counts of all records by outcome: `report.json`. `page.py` renders them for people."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.prepare.chunks import facts_of
from training.prepare.inputs import Input
from training.prepare.pass3_tokenise import unknown_share
from training.prepare.splits import SPLITS
from training.prepare.tally import Tally

Int64 = NDArray[np.int64]


class Totals:
    """Sum of the facts of all chunks.

    Args:
        inputs: the sources of the recipe.
    """

    def __init__(self, inputs: list[Input]) -> None:
        self._inputs = inputs
        self._tallies = [Tally() for _ in inputs]
        self._rows: Counter[str] = Counter()
        self._counts: dict[tuple[str, str, str], Int64] = {}

    def add(self, facts: dict[str, Any]) -> None:
        """Adds the facts of a chunk of candidates or of rows."""
        self._tallies[facts["input"]].merge(Tally.from_json(facts["tally"]))
        for part, sides in facts.get("counts", {}).items():
            for side, kinds in sides.items():
                for kind, counts in kinds.items():
                    place = (part, side, kind)
                    self._counts[place] = _sum(self._counts.get(place), counts)

    def count_rows(self, part: str, rows: int) -> None:
        """Sets the number of rows of a part, repeats included."""
        self._rows[part] = rows

    def to_json(self) -> dict[str, Any]:
        """Returns the counts as JSON values. `kept` counts rows with their repeats; the `kept` of a
        source counts each example once."""
        sources = [
            {
                "source": each.source.model_dump(mode="json"),
                "folder": _folder_of(each),
                **_of_source(tally),
            }
            for each, tally in zip(self._inputs, self._tallies, strict=True)
        ]
        return {
            "kept": {part: self._rows[part] for part in SPLITS},
            "dropped": dict(sum((Counter(each["dropped"]) for each in sources), Counter())),
            "faults": sum(each["faults"] for each in sources),
            "tokens": {
                part: {side: self._tokens(part, side) for side in ("source", "target")}
                for part in SPLITS
                if (part, "source", "lengths") in self._counts
            },
            "sources": sources,
        }

    def _tokens(self, part: str, side: str) -> dict[str, Any]:
        lengths = self._counts[part, side, "lengths"]
        pieces = self._counts[part, side, "pieces"]
        reached = np.cumsum(lengths) / lengths.sum()
        total = int(pieces.sum())
        return {
            "total": total,
            "mean": round(total / int(lengths.sum()), 2),
            "median": int(np.searchsorted(reached, 0.5)),
            "percentile_95": int(np.searchsorted(reached, 0.95)),
            "longest": int(np.flatnonzero(lengths)[-1]),
            "lengths": lengths.tolist(),
            "unknown_percent": round(100 * unknown_share(pieces.tolist()), 4),
            "pieces": len(pieces),
            "pieces_seen": int((pieces > 0).sum()),
            "pieces_seen_100_times": int((pieces >= 100).sum()),
            "coverage": _coverage(pieces),
        }


def totals_of(inputs: list[Input], chunks: Iterable[Path]) -> Totals:
    """Sums the facts of `chunks`."""
    totals = Totals(inputs)
    for path in chunks:
        totals.add(facts_of(path))
    return totals


def _folder_of(given: Input) -> str:
    """Returns the common folder of a source's files, named as in the places of reports."""
    common = os.path.commonpath([file.parent for file in given.files])
    return "" if common == str(given.root) else common.removeprefix(f"{given.root}{os.sep}")


def _of_source(tally: Tally) -> dict[str, Any]:
    values = tally.to_json()
    kinds = [kind for kind in values["counts"] if kind != "fault"]
    kept = {kind.removesuffix(": kept"): values["counts"][kind] for kind in kinds if _is_kept(kind)}
    samples = {
        kind: [[origin, source, target] for _, origin, source, target in shown]
        for kind, shown in values["samples"].items()
        if kind != "fault"
    }
    return {
        "kept": kept,
        "dropped": {kind: values["counts"][kind] for kind in kinds if not _is_kept(kind)},
        "samples": samples,
        "faults": values["counts"].get("fault", 0),
        "fault_samples": [
            f"{origin}: {reason}" for _, origin, reason, _ in values["samples"].get("fault", [])
        ],
    }


def _is_kept(kind: str) -> bool:
    return kind.endswith(": kept")


def _sum(one: Int64 | None, other: list[int]) -> Int64:
    added = np.array(other, np.int64)
    if one is None:
        return added
    longer, shorter = (one, added) if len(one) >= len(added) else (added, one)
    longer = longer.copy()
    longer[: len(shorter)] += shorter
    return longer


def _coverage(pieces: Int64) -> list[list[float]]:
    """Returns points (number of most frequent pieces, their share of all tokens in percent)."""
    reached = np.cumsum(np.sort(pieces)[::-1]) / max(1, pieces.sum())
    steps = np.unique(np.geomspace(1, len(pieces), 40).round().astype(int))
    return [[int(step), round(100 * float(reached[step - 1]), 2)] for step in steps]
