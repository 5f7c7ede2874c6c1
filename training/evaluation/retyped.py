"""Scores of answers to sources that are typed differently: without a final mark, in lower case."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from training.metrics import corpus_bleu
from training.prepare.shards import evenly_spaced
from training.variants import FINAL_MARKS

#: Number of sources that are typed differently.
RETYPED = 500
#: Share of its BLEU, and points of it, whose loss is worth a note.
NOTED_LOSS, NOTED_POINTS = 0.2, 1.0

_CHANGES: dict[str, Callable[[str], str]] = {
    "without_final_mark": partial(FINAL_MARKS.sub, ""),
    "in_lower_case": str.lower,
}

#: Answers each of several sources.
AnswerAll = Callable[[Sequence[Sequence[str]]], Sequence[str]]


@dataclass(frozen=True)
class RetypedBleu:
    """BLEU of the translations of sentences that are typed differently.

    Attributes:
        change: how they are typed.
        bleu: BLEU, with two decimals.
        original: BLEU of the translations of the same sentences as they were.
    """

    change: str
    bleu: float
    original: float


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
    texts: Sequence[str],
    references: Sequence[str],
    *,
    language: str,
) -> list[RetypedBleu]:
    """Scores the translations of sentences that are typed differently. `texts` are the translations
    of `sources`, `language` is that of `references`."""
    found = []
    for name, indices, retyped in _each_change(sources):
        own = [references[i] for i in indices]
        bleu, _ = corpus_bleu(answer_all(retyped), own, language=language)
        original, _ = corpus_bleu([texts[i] for i in indices], own, language=language)
        found.append(RetypedBleu(name, round(bleu, 2), round(original, 2)))
    return found


def describe_losses(scores: Sequence[RetypedBleu]) -> list[str]:
    """Returns a line if retyped sentences get much worse translations."""
    lower = [
        f"from {score.original:.1f} to {score.bleu:.1f} {score.change.replace('_', ' ')}"
        for score in scores
        if score.original - score.bleu > max(NOTED_LOSS * score.original, NOTED_POINTS)
    ]
    if not lower:
        return []
    return [
        f"note: BLEU falls {' and '.join(lower)}. If sentences will be typed so, "
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
