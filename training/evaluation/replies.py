"""Scores of replies without a reference: robustness to punctuation and case, repetition, and words
that do not occur in training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from training.metrics import words_of
from training.prepare.shards import Shard, evenly_spaced

#: Number of messages whose variants are answered.
VARIED = 500
#: Number of conversations, and of the model's turns in each.
CONVERSATIONS, TURNS = 40, 8

_FINAL = re.compile(r"\s*[.!?…]+$")
_MARKS = ".,;:!?…\"'()[]-*"

#: Answers each of several dialogues.
AnswerAll = Callable[[Sequence[Sequence[str]]], Sequence[str]]


def robustness(
    answer_all: AnswerAll, sources: Sequence[Sequence[str]], texts: Sequence[str]
) -> dict[str, float]:
    """Returns the percentage of messages that get the same answer when they are typed differently.
    `texts` are the answers to `sources`."""
    chosen = evenly_spaced(len(sources), VARIED).tolist()
    found = {}
    for name, change in (
        ("without_final_mark", partial(_FINAL.sub, "")),
        ("in_lower_case", str.lower),
    ):
        varied = [(*sources[i][:-1], change(sources[i][-1])) for i in chosen]
        pairs = [(i, turns) for i, turns in zip(chosen, varied, strict=True) if turns[-1].strip()]
        changed = [(i, turns) for i, turns in pairs if turns[-1] != sources[i][-1]]
        if changed:
            answers = answer_all([turns for _, turns in changed])
            equal = sum(texts[i] == text for (i, _), text in zip(changed, answers, strict=True))
            found[f"same_{name}_percent"] = round(100.0 * equal / len(changed), 2)
    return found


def own_repeats(answer_all: AnswerAll, sources: Sequence[Sequence[str]]) -> float:
    """Returns the percentage of the model's turns that repeat an earlier one of the same
    conversation word for word. In each conversation it answers messages of the test set, the last
    turns of `sources`, in turn."""
    messages = [turns[-1] for turns in sources]
    count = min(CONVERSATIONS, max(1, len(messages) // TURNS))
    talks: list[list[str]] = [[] for _ in range(count)]
    repeats = said = 0
    for turn in range(min(TURNS, len(messages) // count)):
        for i, talk in enumerate(talks):
            talk.append(messages[turn * count + i])
        for talk, text in zip(talks, answer_all(talks), strict=True):
            repeats += text in talk[1::2]
            said += 1
            talk.append(text)
    return round(100.0 * repeats / said, 2)


def unseen_words(train: Shard, texts: Iterable[str]) -> dict[str, int]:
    """Counts the lower-cased words of `texts` that occur in no target of the training split."""
    wanted = Counter(word for text in texts for word in _plain_words(text))
    for batch in train.batches():
        for text in batch["target_text"].to_pylist():
            for word in _plain_words(text):
                wanted.pop(word, None)
        if not wanted:
            break
    return dict(wanted.most_common())


def _plain_words(text: str) -> Iterable[str]:
    return (stripped for word in words_of(text.lower()) if (stripped := word.strip(_MARKS)))
