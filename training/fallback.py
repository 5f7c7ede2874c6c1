"""Known questions of a model with a fallback reply, and its confidence threshold.

The threshold is found on the training split, since a list of questions and answers has no other:
answers are held out with all their questions, whose similarity to the nearest remaining question is
the confidence of a reply that must be rejected. On the other hand, variants of the questions, as
people type them, must be answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from model.config import SearchOptions
from model.folder import QUESTIONS_FILE
from model.known_questions import KnownQuestions
from training.errors import CorpusError
from training.prepare.prepare import PreparedCorpus
from training.prepare.shards import evenly_spaced
from training.recipe import Recipe
from training.variants import OPENERS, Variant, vary

#: Share of held-out questions that get the fallback, even if the network replied to all of them as
#: to the nearest question. In practice it gives most of them another reply, so that more are
#: rejected: 92 % instead of 80 %, see docs/benchmarks.md.
MIN_REJECTED = 0.8
#: Fewer are rejected if more than this share of the variants of known questions would be too.
MAX_VARIANTS_REJECTED = 0.1
#: Number of folds of the answers, each held out once; total number of compared questions.
FOLDS, MAX_COMPARED = 5, 1000
#: The threshold if there is nothing to hold out.
DEFAULT_CONFIDENCE = 0.5
#: More questions would take too long to load.
MAX_QUESTIONS = 20_000

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Fallback:
    """Settings and files of a model with a fallback reply.

    Attributes:
        search: search options of the recipe, with a `min_confidence` if there is a
            `fallback_reply`.
        files: files for the model folder, name -> contents.
        metrics: shares of questions that get the fallback, or the model's reply, in percent.
    """

    search: SearchOptions
    files: Mapping[str, bytes] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> list[str]:
        """Returns a line for people; none without a fallback reply."""
        if not self.files:
            return []
        scores = ", ".join(f"{name.replace('_', ' ')} {x}" for name, x in self.metrics.items())
        return [f"fallback reply below a confidence of {self.search.min_confidence}: {scores}"]


def fallback_of(recipe: Recipe, corpus: PreparedCorpus) -> Fallback:
    """Collects the questions of the training split, and chooses `min_confidence` unless the recipe
    sets it. Without a `fallback_reply`, does nothing.

    Raises:
        CorpusError: if there are too many questions.
    """
    search = recipe.search
    if not search.fallback_reply:
        return Fallback(search)
    if len(corpus.train) > MAX_QUESTIONS:
        raise CorpusError(
            f"{corpus.path}: has {len(corpus.train):,} questions; search.fallback_reply supports "
            f"at most {MAX_QUESTIONS:,}. Leave it out."
        )
    pairs = _pairs_of(corpus)
    unknown = list(_held_out_similarities(pairs))
    variants = list(_variants(pairs, next(iter(recipe.languages), "")))
    threshold = search.min_confidence
    if threshold is None:
        threshold = _threshold(unknown, variants)
    scores = {"left_out_questions_refused_at_least": [x < threshold for x in unknown]}
    scores["variants_of_questions_accepted"] = [x >= threshold for x in variants]
    return Fallback(
        search.model_copy(update={"min_confidence": threshold}),
        {QUESTIONS_FILE: KnownQuestions(pairs).to_bytes()},
        {f"{name}_percent": round(100 * float(np.mean(x)), 1) for name, x in scores.items() if x},
    )


def _pairs_of(corpus: PreparedCorpus) -> Pairs:
    """Returns the last turn of each source, and its target as the model writes it."""
    train, tokenizer = corpus.train, corpus.tokenizer
    return list(
        dict.fromkeys(
            (train.source_turns(i)[-1], tokenizer.target_text(tokenizer.target_ids(text)))
            for i in range(len(train))
            for text in [train.target_text(i)]
        )
    )


def _threshold(unknown: Sequence[float], variants: Sequence[float]) -> float:
    if not unknown:
        return DEFAULT_CONFIDENCE
    # The least threshold in hundredths that is above the similarity of most unknown questions.
    refusing = np.floor(100 * np.quantile(unknown, MIN_REJECTED) + 1) / 100
    accepting = np.floor(100 * np.quantile(variants, MAX_VARIANTS_REJECTED)) / 100
    return float(min(refusing, accepting, 1.0))


def _held_out_similarities(pairs: Pairs) -> Iterator[float]:
    """Yields the similarity of held-out questions to the nearest remaining one, which has another
    answer."""
    answers = sorted({answer for _, answer in pairs})
    Random(0).shuffle(answers)
    compared = {pairs[i] for i in evenly_spaced(len(pairs), MAX_COMPARED).tolist()}
    for fold in range(FOLDS if len(answers) > 1 else 0):
        out = {*answers[fold::FOLDS]}
        nearest = _Nearest([pair for pair in pairs if pair[1] not in out])
        yield from (nearest(q) for q, answer in pairs if answer in out and (q, answer) in compared)


def _variants(pairs: Pairs, language: str) -> Iterator[float]:
    """Yields the confidence of the right reply to variants of the questions."""
    kinds: list[Variant] = ["apostrophes", "case", "final_punctuation", "typos"]
    kinds += ["openers"] if language in OPENERS else []
    questions, draw = KnownQuestions(pairs), Random(0)
    for i in evenly_spaced(len(pairs), MAX_COMPARED).tolist():
        question, answer = pairs[i]
        yield questions.confidence(vary(question, kinds, language, draw), answer)


class _Nearest:
    """Similarity of a text to the nearest question of `pairs`, whatever its answer."""

    def __init__(self, pairs: Pairs) -> None:
        self._questions = KnownQuestions(pairs)
        self._holders: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, vector in enumerate(self._questions.vectors):
            for ngram, weight in vector.items():
                self._holders[ngram].append((number, weight))

    def __call__(self, text: str) -> float:
        similarities: dict[int, float] = defaultdict(float)
        for ngram, weight in self._questions.vector(text).items():
            for number, other in self._holders.get(ngram, ()):
                similarities[number] += weight * other
        return max(similarities.values(), default=0.0)
