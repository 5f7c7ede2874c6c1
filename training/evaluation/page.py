"""The page of an evaluation: a self-contained HTML file. Its template is
`evaluation.html.jinja`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np
from markupsafe import Markup

from training.evaluation.answers import Answers, TestSet, rows_of
from training.evaluation.significance import Comparison
from training.metrics import corpus_bleu, exact_match, words_of
from training.model_card import Metrics
from training.prepare.charts import lines
from training.prepare.drawing import wants_dev
from training.prepare.page import load_template
from training.recipe import Recipe

#: Number of groups of sources by length, and of rows in the tables of answers and words.
LENGTH_GROUPS, SHOWN_ANSWERS, SHOWN_REPLIES, SHOWN_WORDS = 5, 100, 10, 40


@dataclass(frozen=True)
class Evaluation:
    """Contents of the page.

    Attributes:
        fingerprint: of the corpus.
        answered: answers of each search, the recipe's search last.
        compared: baseline, system and their scores by a metric.
        history: scores of each epoch of the run.
        unseen: words of the answers that occur in no target of the training split, with counts.
    """

    recipe: Recipe
    fingerprint: str
    test_set: TestSet
    answered: Sequence[Answers]
    metrics: Metrics
    compared: Sequence[tuple[str, str, Comparison]]
    history: Sequence[dict[str, float]]
    unseen: dict[str, int]


def render_page(given: Evaluation) -> str:
    """Renders the page as HTML."""
    is_reply = given.recipe.task == "reply"
    template = load_template("training.evaluation", "evaluation.html.jinja")
    return template.render(
        name=given.recipe.name,
        test_set=given.test_set.name,
        sources=len(given.test_set.sources),
        fingerprint=given.fingerprint,
        metrics=given.metrics,
        compared=given.compared,
        searches=[each.search for each in given.answered],
        length_metric="exact matches in %" if is_reply else "BLEU",
        lengths=_lengths(given),
        replies=Counter(given.answered[-1].texts).most_common(SHOWN_REPLIES) if is_reply else [],
        unseen=list(islice(given.unseen.items(), SHOWN_WORDS)),
        curves=_curves(given),
        answers=rows_of(given.test_set, given.answered, SHOWN_ANSWERS),
    )


def _lengths(given: Evaluation) -> list[dict[str, Any]]:
    """Returns scores of groups of sources of about equal sizes, the shortest first."""
    words = np.array([len(words_of(turns[-1])) for turns in given.test_set.sources])
    shares = np.linspace(0, 1, LENGTH_GROUPS, endpoint=False)
    borders = np.unique([*np.quantile(words, shares).astype(int), words.max() + 1])
    rows = []
    for least, end in pairwise(borders.tolist()):
        chosen = np.flatnonzero((words >= least) & (words < end)).tolist()
        if chosen:
            scores = [_score_of(given, answers, chosen) for answers in given.answered]
            sizes = {"least": least, "most": end - 1, "sources": len(chosen)}
            rows.append({**sizes, "scores": scores})
    return rows


def _score_of(given: Evaluation, answers: Answers, chosen: Sequence[int]) -> float:
    texts = [answers.texts[i] for i in chosen]
    references = [given.test_set.references[i] for i in chosen]
    if given.recipe.task == "reply":
        return exact_match(texts, references)
    return corpus_bleu(texts, references, language=given.recipe.target_language)[0]


def _curves(given: Evaluation) -> Markup | None:
    if len(given.history) < 2:
        return None
    scored = "dev" if wants_dev(given.recipe.corpus) else "train, without dropout"
    series = {
        "train": ([entry["train_loss"] for entry in given.history], "var(--blue)"),
        scored: ([entry["loss"] for entry in given.history], "var(--orange)"),
    }
    return Markup(lines(series, "epoch", "loss"))
