"""Scores of answers to sources that are typed differently: without a final mark, in lower case."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from training.metrics import corpus_bleu
from training.prepare.shards import evenly_spaced

#: Number of sources that are typed differently.
RETYPED = 500
#: Share of its BLEU whose loss is worth a note.
NOTED_LOSS = 0.2

_FINAL = re.compile(r"\s*[.!?…]+$")
_CHANGES: dict[str, Callable[[str], str]] = {
    "without_final_mark": partial(_FINAL.sub, ""),
    "in_lower_case": str.lower,
}

#: Answers each of several sources.
AnswerAll = Callable[[Sequence[Sequence[str]]], Sequence[str]]


def same_answers(
    answer_all: AnswerAll, sources: Sequence[Sequence[str]], texts: Sequence[str]
) -> dict[str, float]:
    """Returns the percentage of messages that get the same answer when they are typed differently.
    `texts` are the answers to `sources`."""
    found = {}
    for name, indices, retyped in _each_change(sources):
        answers = answer_all(retyped)
        equal = sum(texts[i] == text for i, text in zip(indices, answers, strict=True))
        found[f"same_{name}_percent"] = round(100.0 * equal / len(indices), 2)
    return found


def translation_scores(
    answer_all: AnswerAll,
    sources: Sequence[Sequence[str]],
    references: Sequence[str],
    *,
    language: str,
) -> dict[str, float]:
    """Returns the BLEU of the translations of sentences that are typed differently. `language` is
    that of `references`."""
    found = {}
    for name, indices, retyped in _each_change(sources):
        own = [references[i] for i in indices]
        bleu, _ = corpus_bleu(answer_all(retyped), own, language=language)
        found[f"BLEU_{name}"] = round(bleu, 2)
    return found


def describe_losses(metrics: Mapping[str, Any], prefix: str) -> list[str]:
    """Returns a line if retyped sentences get much worse translations, by the metrics whose names
    begin with `prefix`."""
    names = (name for name in metrics if name.startswith(f"{prefix}BLEU "))
    bleu = max((metrics[name] for name in names), default=0.0)
    scores = {name: metrics.get(f"{prefix}BLEU_{name}", bleu) for name in _CHANGES}
    lower = [
        f"{score:.1f} {name.replace('_', ' ')}"
        for name, score in scores.items()
        if score < (1 - NOTED_LOSS) * bleu
    ]
    if not lower:
        return []
    return [
        f"note: BLEU of {bleu:.1f} falls to {' and '.join(lower)}. If sentences will be typed so, "
        'train with variants = ["case", "final_punctuation"] in a source of the recipe.'
    ]


def _each_change(
    sources: Sequence[Sequence[str]],
) -> Iterator[tuple[str, list[int], list[tuple[str, ...]]]]:
    """Yields each change with the indices of the sources that it changes and the changed sources,
    unless there are none."""
    chosen = evenly_spaced(len(sources), RETYPED).tolist()
    for name, change in _CHANGES.items():
        last = {i: change(sources[i][-1]) for i in chosen}
        indices = [i for i in chosen if last[i].strip() and last[i] != sources[i][-1]]
        if indices:
            yield name, indices, [(*sources[i][:-1], last[i]) for i in indices]
