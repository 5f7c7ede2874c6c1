"""Scores of replies without a reference: repetition, and words that do not occur in training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from training.evaluation.retyped import AnswerAll
from training.metrics import words_of
from training.prepare.shards import Shard

#: Number of conversations, and of the model's turns in each.
CONVERSATIONS, TURNS = 40, 8

_MARKS = ".,;:!?…\"'()[]-*"


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
