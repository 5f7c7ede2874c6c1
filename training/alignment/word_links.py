"""Links between words of two files of one film, from the times at which they occur together.

Knows no language. Two words are linked if they occur at about the same time, do so more often than
by chance or are spelt alike (names, numbers, cognates), and no other word near them fits better.
This is IBM model 1 (Brown et al. 1993, "The mathematics of statistical machine translation") with
time in place of sentence pairs; both directions agree on each link (Liang et al. 2006, "Alignment
by agreement"), and each link is estimated from the counts of all others (leaving one out, since the
counts of one film are small). The use of word links for the borders of sentences is from Varga et
al. 2005 ("Parallel corpora for medium density languages", hunalign) and Moore 2002 ("Fast and
accurate sentence alignment of bilingual corpora").
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
#: Letters of a word that count, so that forms of one word count together.
STEM = 6
#: Seconds after which the strength of a link falls to 1/e, and beyond which it is 0.
NEAR, FARTHEST = 2.0, 6.0
#: The most words of the other file, before and after, that a word is compared with.
NEAREST = 40
#: The strength of having no counterpart; that of a link is its count relative to chance.
UNLINKED = 1.0
#: Added to the counts by chance: a few co-occurrences say little.
SMOOTHING = 1.0
#: Co-occurrences that an equal spelling is worth, and the least Dice similarity that counts.
ALIKE, LEAST_ALIKE = 3.0, 0.6
ROUNDS = 5


class Spoken(NamedTuple):
    """A segment's text and time, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Links:
    """Links between words, by the segments that contain them, in order of the source's.

    Attributes:
        source, target: indices of segments, `(links,)`.
        weights: the probability of each link, `(links,)`.
    """

    source: Ints
    target: Ints
    weights: Floats


def links_between(source: Sequence[Spoken], target: Sequence[Spoken]) -> Links:
    """Returns the links between the words of two files on one clock."""
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
    """Returns the stems of a text's words, without case and accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return [word[:STEM] for word in _WORD.findall(plain)]


@dataclass(frozen=True)
class Words:
    """All words of a file, in order of time.

    Attributes:
        names: the distinct words.
        ids: index of each word in `names`, `(words,)`.
        times: seconds of each word, by its place in its segment, `(words,)`.
        segments: index of each word's segment, `(words,)`.
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
    """Returns the indices of all pairs of words that are near in time, `(pairs,)` each."""
    middles = np.searchsorted(theirs, ours)
    lows = np.maximum(np.searchsorted(theirs, ours - FARTHEST), middles - NEAREST)
    highs = np.minimum(np.searchsorted(theirs, ours + FARTHEST), middles + NEAREST)
    counts = highs - lows
    first = np.repeat(np.arange(len(ours)), counts)
    second = np.arange(len(first)) + np.repeat(lows - np.cumsum(counts) + counts, counts)
    return first, second


def _posteriors(strength: Floats, first: Ints, second: Ints) -> Floats:
    """Returns the probability of each pair, against all others of either word and no link."""
    rivals = sum(np.bincount(side, strength)[side] for side in (first, second)) - strength
    return np.asarray(strength / (UNLINKED + rivals))


def _chance(
    ours: Ints, theirs: Ints, kernel: Floats, kinds: Ints, others: Ints, words: int
) -> Floats:
    """Returns the expected links of each pair of distinct words if words were placed at random."""
    shares = [np.bincount(ids, kernel) / max(1e-9, kernel.sum()) for ids in (ours, theirs)]
    return np.asarray(shares[0][kinds] * shares[1][others] * words)


def likeness(ours: Sequence[str], theirs: Sequence[str]) -> Floats:
    """Returns the Dice similarity of words by letter bigrams, 0 if small, `(ours, theirs)`."""
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
    """Returns a word's letter bigrams with its edges; a short word or a number is a single one."""
    if len(word) < 3 or word.isdigit():
        return [word]
    edged = f"^{word}$"
    return list(dict.fromkeys(edged[i : i + 2] for i in range(len(edged) - 1)))
