"""What can be measured of replies without a judge. Pure functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

_WORD = re.compile(r"\w+(?:'\w+)*")


def lowercase_words(text: str) -> list[str]:
    """Returns the words of a text in lower case, without punctuation."""
    return _WORD.findall(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))


def other_stop(message: str) -> str | None:
    """Returns the message with its final stop removed, or with one added; None if it ends in
    another sign, or in several stops."""
    if message.endswith("."):
        return None if message.endswith("..") else message[:-1]
    return f"{message}." if message[-1:].isalnum() else None


def without_question_mark(message: str) -> str | None:
    """Returns the message without its final question mark; None if it has none, or several."""
    bare = message.removesuffix("?")
    return bare if bare[-1:].isalnum() and bare != message else None


def repeats(replies: Sequence[str]) -> int:
    """Counts the replies of a conversation that equal an earlier one of it."""
    return len(replies) - len(set(replies))


def unseen_words(reply: str, known: Collection[str]) -> list[str]:
    """Returns the words of a reply that are not `known`."""
    return [word for word in lowercase_words(reply) if word not in known]


def contains_any(reply: str, phrases: Sequence[str]) -> bool:
    """Tells whether a reply contains one of `phrases`, each a word or several, in any case."""
    padded = f" {' '.join(lowercase_words(reply))} "
    return any(f" {' '.join(lowercase_words(phrase))} " in padded for phrase in phrases)


def word_f1(reply: str, reference: str) -> float:
    """Returns the F1 of the words that two texts share, 0 to 1, as in SQuAD: counted as often as
    both have them."""
    ours, theirs = Counter(lowercase_words(reply)), Counter(lowercase_words(reference))
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0


def kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Returns Cohen's kappa of two judges' marks of the same things: their agreement beyond
    chance, 1 if they agree everywhere.

    Reference: Cohen 1960, A Coefficient of Agreement for Nominal Scales.
    """
    count = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / count
    marks, others = Counter(first), Counter(second)
    by_chance = sum(marks[mark] * others[mark] for mark in marks) / count**2
    return 1.0 if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)
