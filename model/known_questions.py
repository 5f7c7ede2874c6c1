"""The known questions of a model, and the confidence in its reply to a message.

A network that has learnt answers by heart is as sure of its reply to nonsense as of its reply to a
known question: the log-probability of a reply says little. Here, a reply is trusted if the message
is similar to a question with this very reply. Texts are compared by their character n-grams, which
are robust to typos and endings, weighted by inverse document frequency. Standard library only.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.text.normalise import normalise

if TYPE_CHECKING:
    from model.config import SearchOptions

#: Lengths of n-grams in characters. A word begins and ends with a space.
NGRAM_LENGTHS = (2, 3, 4)


@dataclass(frozen=True)
class CheckedReply:
    """A reply after the check of its confidence.

    Attributes:
        text: the model's reply or the fallback reply.
        confidence: confidence in the model's reply, 0 to 1; None if the model has no known
            questions.
        is_fallback: whether it is the fallback reply; None if the model has no known questions.
    """

    text: str
    confidence: float | None = None
    is_fallback: bool | None = None


class KnownQuestions:
    """Questions and their answers.

    Args:
        pairs: (question, answer), with answers as decoded by the model's tokenizer.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(dict.fromkeys(pairs))
        counts = [count_ngrams(question) for question, _ in self.pairs]
        self._frequencies = Counter(ngram for each in counts for ngram in each)
        self.vectors = [self._weighted(each) for each in counts]
        self._by_answer: dict[str, list[Mapping[str, float]]] = {}
        for (_, answer), vector in zip(self.pairs, self.vectors, strict=True):
            self._by_answer.setdefault(answer, []).append(vector)

    @classmethod
    def parse(cls, content: bytes) -> KnownQuestions:
        """Parses the result of `to_bytes`."""
        lines = content.decode().splitlines()
        return cls((question, answer) for question, _, answer in (x.partition("\t") for x in lines))

    def to_bytes(self) -> bytes:
        """Returns one line per question: question TAB answer."""
        return "".join(f"{normalise(q)}\t{answer}\n" for q, answer in self.pairs).encode()

    def confidence(self, message: str, reply: str) -> float:
        """Returns the similarity of `message` and the nearest question whose answer is `reply`, 0
        to 1; 0 if there is none."""
        known = self._by_answer.get(reply)
        if not known:
            return 0.0
        vector = self.vector(message)
        return min(1.0, round(max(_dot(vector, each) for each in known), 4))

    def check(self, turns: str | Sequence[str], reply: str, options: SearchOptions) -> CheckedReply:
        """Returns `reply`, or the fallback reply if its confidence is below `min_confidence`.
        `turns` is a message, or a dialogue whose last turn is the message."""
        confidence = self.confidence(turns if isinstance(turns, str) else turns[-1], reply)
        if options.fallback_reply and confidence < (options.min_confidence or 0.0):
            return CheckedReply(options.fallback_reply, confidence, is_fallback=True)
        return CheckedReply(reply, confidence, is_fallback=False)

    def vector(self, text: str) -> Mapping[str, float]:
        """Returns the weights of the text's n-grams as a unit vector; empty if the text has no
        letters or digits."""
        return self._weighted(count_ngrams(text))

    def _weighted(self, counts: Mapping[str, int]) -> Mapping[str, float]:
        total = len(self.pairs) + 1
        weights = {
            ngram: (1.0 + math.log(count))
            * (1.0 + math.log(total / (self._frequencies[ngram] + 1)))
            for ngram, count in counts.items()
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        return {ngram: weight / length for ngram, weight in weights.items()}


def count_ngrams(text: str) -> Counter[str]:
    """Counts the character n-grams of the words of `text`, in lower case."""
    counts: Counter[str] = Counter()
    text = normalise(text).lower()
    for word in "".join(char if _is_of_word(char) else " " for char in text).split():
        padded = f" {word} "
        for length in NGRAM_LENGTHS:
            counts.update(padded[i : i + length] for i in range(len(padded) - length + 1))
    return counts


def _is_of_word(char: str) -> bool:
    """Tells whether a character is a letter, a digit, or a vowel sign or accent."""
    return char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"


def _dot(vector: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(weight * other.get(ngram, 0.0) for ngram, weight in vector.items())
