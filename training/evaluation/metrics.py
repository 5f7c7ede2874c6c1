"""Scores of texts against references, and of replies by themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Percentage of hypotheses that equal their reference, letter by letter."""
    equal = sum(a == b for a, b in zip(hypotheses, references, strict=True))
    return 100.0 * equal / len(references)


def corpus_bleu(
    hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = False
) -> tuple[float, str]:
    """BLEU and its sacreBLEU signature."""
    metric = BLEU(lowercase=lowercase)
    score = metric.corpus_score(list(hypotheses), [list(references)])
    return float(score.score), str(metric.get_signature())


def corpus_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """chrF2."""
    return float(CHRF().corpus_score(list(hypotheses), [list(references)]).score)


def distinct(texts: Sequence[str], n: int) -> float:
    """Different n-grams of words by all n-grams (Li et al. 2016, arXiv:1510.03055), in percent."""
    words = [text.split() for text in texts]
    grams = Counter(tuple(w[i : i + n]) for w in words for i in range(len(w) - n + 1))
    return 100.0 * len(grams) / max(1, grams.total())


def most_repeated(texts: Sequence[str]) -> float:
    """Percentage of texts that are the most frequent one."""
    return 100.0 * Counter(texts).most_common(1)[0][1] / len(texts)
