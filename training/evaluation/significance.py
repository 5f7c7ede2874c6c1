"""Significance of the difference between two systems on one test set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest, Result

from training.metrics import bleu_metric

#: Number of resampled test sets.
RESAMPLES = 1000


@dataclass(frozen=True)
class Comparison:
    """Scores of two systems by one metric.

    Attributes:
        metric: name of the metric.
        baseline, score: scores of the two systems.
        p_value: probability of a difference at least as large if both were equally good; 1 for
            equal scores, else at least 1 / (`RESAMPLES` + 1).
    """

    metric: str
    baseline: float
    score: float
    p_value: float


def compare(
    baseline: Sequence[str], texts: Sequence[str], references: Sequence[str], *, language: str = ""
) -> list[Comparison]:
    """Compares the answers of two systems by paired bootstrap resampling (Koehn 2004), in BLEU and
    chrF2."""
    test = PairedTest(
        [("baseline", list(baseline)), ("system", list(texts))],
        {"BLEU": bleu_metric(language=language), "chrF2": CHRF()},
        [list(references)],
        test_type="bs",
        n_samples=RESAMPLES,
    )
    _, scores = test()
    found = []
    for metric, results in scores.items():
        first, second = results
        if isinstance(first, Result) and isinstance(second, Result):  # else names of the systems
            # sacreBLEU's p of equal scores is the least there is.
            p_value = 1.0 if first.score == second.score else second.p_value or 0.0
            found.append(Comparison(metric, first.score, second.score, p_value))
    return found
