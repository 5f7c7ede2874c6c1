"""Which words of two files of one film say the same, told by when and how often they meet.

Knows no language. Two words are linked if they are said at about the same time, meet more often
than chance explains, or are spelt alike (names, numbers, cognates), and no other word near them
fits better. It is IBM model 1 (Brown et al. 1993, "The mathematics of statistical machine
translation") where time takes the place of sentence pairs, both directions agree on each link
(Liang et al. 2006, "Alignment by agreement"), and each link is judged by the counts of all others
(leaving one out: the counts of one film are small). That words which a first pass linked tell
where sentences end is from Varga et al. 2005 ("Parallel corpora for medium density languages",
hunalign) and Moore 2002 ("Fast and accurate sentence alignment of bilingual corpora").
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: A number, a character of a script without spaces between words, or letters.
_WORD = re.compile(
    r"\d+|[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]|[^\W\d_]+"
)
#: Letters by which words are told apart, so that forms of one word count together.
STEM = 6
#: Seconds in which the chance that two words are one falls to 1/e, and beyond which none is left.
NEAR, FARTHEST = 2.0, 6.0
#: Words of the other file, before and behind, that a word is compared with, at most.
NEAREST = 40
#: The strength of "no counterpart"; that of a link is how much oftener than by chance it is seen.
UNLINKED = 1.0
#: Counts that are added to those by chance: a few meetings tell little.
SMOOTHING = 1.0
#: Meetings that a like spelling is worth, and the share of pairs of letters from which it is like.
ALIKE, LEAST_ALIKE = 3.0, 0.6
ROUNDS = 5


class Spoken(NamedTuple):
    """A segment's text and time, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Links:
    """Pairs of words, by the segments that they stand in, in order of the source's.

    Attributes:
        source, target: numbers of segments, `(links,)`.
        weights: the probability of each link, `(links,)`.
    """

    source: Ints
    target: Ints
    weights: Floats


def links_between(source: Sequence[Spoken], target: Sequence[Spoken]) -> Links:
    """The links between the words of two files on one clock."""
    ours, theirs = words_in_order(source), words_in_order(target)
    first, second = _near(ours.times, theirs.times)
    kernel = np.exp(-np.abs(ours.times[first] - theirs.times[second]) / NEAR)
    kinds, kind = np.unique(
        ours.ids[first] * len(theirs.names) + theirs.ids[second], return_inverse=True
    )
    pairs = np.divmod(kinds, max(1, len(theirs.names)))
    lent = ALIKE * likeness(ours.names, theirs.names)[pairs]
    floor = SMOOTHING + _chance(
        *(ours.ids[first], theirs.ids[second], kernel), *pairs, min(len(ours.ids), len(theirs.ids))
    )
    strength = kernel * (1 + lent / floor)[kind]
    for _ in range(ROUNDS):
        weights = _posteriors(strength, first, second)
        others = np.bincount(kind, weights, len(kinds))[kind] - weights
        strength = kernel * (np.maximum(0.0, others) + lent[kind]) / floor[kind]
    weights = _posteriors(strength, first, second)
    order = np.argsort(ours.segments[first], kind="stable")
    first, second = first[order], second[order]
    return Links(ours.segments[first], theirs.segments[second], weights[order])


def words_of(text: str) -> list[str]:
    """The stems of its words, without case and accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return [word[:STEM] for word in _WORD.findall(plain)]


@dataclass(frozen=True)
class Words:
    """All words of a file, in order of time.

    Attributes:
        names: different words.
        ids: of each word, its place in `names`, `(words,)`.
        times: when each is said, by its place in its segment, in seconds, `(words,)`.
        segments: of each word, `(words,)`.
    """

    names: list[str]
    ids: Ints
    times: Floats
    segments: Ints


def words_in_order(spoken: Sequence[Spoken]) -> Words:
    numbers: dict[str, int] = {}
    found: list[tuple[float, int, int]] = []
    for segment, each in enumerate(spoken):
        words = words_of(each.text)
        places = np.cumsum([0, *(len(word) + 1 for word in words)])
        for word, place in zip(words, places, strict=False):
            share = (place + len(word) / 2) / places[-1]
            time = each.start + (each.end - each.start) * float(share)
            found.append((time, numbers.setdefault(word, len(numbers)), segment))
    times = np.array([time for time, _, _ in found], np.float64)
    ids = np.array([number for _, number, _ in found], np.int64)
    segments = np.array([segment for _, _, segment in found], np.int64)
    order = np.argsort(times, kind="stable")
    return Words(list(numbers), ids[order], times[order], segments[order])


def _near(ours: Floats, theirs: Floats) -> tuple[Ints, Ints]:
    """Numbers of all pairs of words that are near in time, `(pairs,)` each."""
    middles = np.searchsorted(theirs, ours)
    lows = np.maximum(np.searchsorted(theirs, ours - FARTHEST), middles - NEAREST)
    highs = np.minimum(np.searchsorted(theirs, ours + FARTHEST), middles + NEAREST)
    counts = highs - lows
    first = np.repeat(np.arange(len(ours)), counts)
    second = np.arange(len(first)) + np.repeat(lows - np.cumsum(counts) + counts, counts)
    return first, second


def _posteriors(strength: Floats, first: Ints, second: Ints) -> Floats:
    """The probability of each pair against all others of either word, and none."""
    rivals = sum(np.bincount(side, strength)[side] for side in (first, second)) - strength
    return np.asarray(strength / (UNLINKED + rivals))


def _chance(
    ours: Ints, theirs: Ints, kernel: Floats, kinds: Ints, others: Ints, words: int
) -> Floats:
    """Links that each pair of kinds would have if words were strewn at random."""
    shares = [np.bincount(ids, kernel) / max(1e-9, kernel.sum()) for ids in (ours, theirs)]
    return np.asarray(shares[0][kinds] * shares[1][others] * words)


def likeness(ours: Sequence[str], theirs: Sequence[str]) -> Floats:
    """The share of pairs of letters that words have in common (Dice), if it is large, `(ours,
    theirs)`."""
    grams = [[_grams(word) for word in words] for words in (ours, theirs)]
    numbers = {gram: n for n, gram in enumerate({g: None for each in grams[1] for g in each})}
    has = [np.zeros((len(words), len(numbers)), np.float32) for words in grams]
    for rows, words in zip(has, grams, strict=True):
        for row, found in zip(rows, words, strict=True):
            row[[numbers[gram] for gram in found if gram in numbers]] = 1
    sizes = [np.array([len(found) for found in words], np.float64) for words in grams]
    shares = 2 * (has[0] @ has[1].T) / np.add.outer(*sizes)
    return np.where(shares >= LEAST_ALIKE, shares, 0.0)


def _grams(word: str) -> list[str]:
    """Pairs of letters, and of an edge and a letter; a short word or a number is one of its own."""
    if len(word) < 3 or word.isdigit():
        return [word]
    edged = f"^{word}$"
    return list(dict.fromkeys(edged[i : i + 2] for i in range(len(edged) - 1)))
