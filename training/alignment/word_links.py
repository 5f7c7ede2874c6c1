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

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import regex

from model.types import Float64, Int64
from training.word_pairs import pairs_in_ranges

#: A number, a character of a script without spaces between words, or letters with vowel signs.
_WORD = regex.compile(
    r"\d+|[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]|[^\W\d_]+"
)
#: Letters of a word that count, so that forms of one word count together.
STEM_LETTERS = 6
#: Seconds after which the strength of a link falls to 1/e, and beyond which it is 0.
DECAY_SECONDS, MAX_LINK_SECONDS = 2.0, 6.0
#: The most words of the other file, before and after, that a word is compared with.
MAX_NEIGHBOURS = 40
#: The strength of having no counterpart; that of a link is its count relative to chance.
UNLINKED_STRENGTH = 1.0
#: Added to the counts by chance: a few co-occurrences say little.
SMOOTHING = 1.0
#: Co-occurrences that an equal spelling is worth, and the least Dice similarity that counts.
SPELLING_COUNT, MIN_SIMILARITY = 3.0, 0.6
EM_ITERATIONS = 5


class TimedText(NamedTuple):
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

    source: Int64
    target: Int64
    weights: Float64


def links_between(source: Sequence[TimedText], target: Sequence[TimedText]) -> Links:
    """Returns the links between the words of two files on one clock."""
    source_words, target_words = words_in_order(source), words_in_order(target)
    first, second = _near_pairs(source_words.times, target_words.times)
    kernel = np.exp(-np.abs(source_words.times[first] - target_words.times[second]) / DECAY_SECONDS)
    kinds, kind = np.unique(
        source_words.ids[first] * len(target_words.names) + target_words.ids[second],
        return_inverse=True,
    )
    pairs = np.divmod(kinds, max(1, len(target_words.names)))
    spelling_counts = (
        SPELLING_COUNT * spelling_similarity(source_words.names, target_words.names)[pairs]
    )
    floor = SMOOTHING + _counts_by_chance(
        *(source_words.ids[first], target_words.ids[second], kernel),
        *pairs,
        min(len(source_words.ids), len(target_words.ids)),
    )
    strength = kernel * (1 + spelling_counts / floor)[kind]
    for _ in range(EM_ITERATIONS):
        weights = _posteriors(strength, first, second)
        others = np.bincount(kind, weights, len(kinds))[kind] - weights
        strength = kernel * (np.maximum(0.0, others) + spelling_counts[kind]) / floor[kind]
    weights = _posteriors(strength, first, second)
    order = np.argsort(source_words.segments[first], kind="stable")
    first, second = first[order], second[order]
    return Links(source_words.segments[first], target_words.segments[second], weights[order])


def stems_of(text: str) -> list[str]:
    """Returns the stems of a text's words, without case and accents."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return [word[:STEM_LETTERS] for word in _WORD.findall(plain)]


@dataclass(frozen=True)
class Words:
    """All words of a file, in order of time.

    Attributes:
        names: the distinct words.
        ids: index of each word in `names`, `(words,)`.
        times: seconds of each word, by its position in its segment, `(words,)`.
        segments: index of each word's segment, `(words,)`.
    """

    names: list[str]
    ids: Int64
    times: Float64
    segments: Int64


def words_in_order(texts: Sequence[TimedText]) -> Words:
    numbers: dict[str, int] = {}
    found: list[tuple[float, int, int]] = []
    for segment, each in enumerate(texts):
        words = stems_of(each.text)
        offsets = np.cumsum([0, *(len(word) + 1 for word in words)])
        for word, offset in zip(words, offsets, strict=False):
            share = (offset + len(word) / 2) / offsets[-1]
            time = each.start + (each.end - each.start) * float(share)
            found.append((time, numbers.setdefault(word, len(numbers)), segment))
    times = np.array([time for time, _, _ in found], np.float64)
    ids = np.array([number for _, number, _ in found], np.int64)
    segments = np.array([segment for _, _, segment in found], np.int64)
    order = np.argsort(times, kind="stable")
    return Words(list(numbers), ids[order], times[order], segments[order])


def _near_pairs(source: Float64, target: Float64) -> tuple[Int64, Int64]:
    """Returns the indices of all pairs of words that are near in time, `(pairs,)` each."""
    middles = np.searchsorted(target, source)
    lows = np.maximum(np.searchsorted(target, source - MAX_LINK_SECONDS), middles - MAX_NEIGHBOURS)
    highs = np.minimum(np.searchsorted(target, source + MAX_LINK_SECONDS), middles + MAX_NEIGHBOURS)
    return pairs_in_ranges(lows, highs - lows)


def _posteriors(strength: Float64, first: Int64, second: Int64) -> Float64:
    """Returns the probability of each pair, against all others of either word and no link."""
    rivals = sum(np.bincount(side, strength)[side] for side in (first, second)) - strength
    return np.asarray(strength / (UNLINKED_STRENGTH + rivals))


def _counts_by_chance(
    source: Int64,
    target: Int64,
    kernel: Float64,
    source_kinds: Int64,
    target_kinds: Int64,
    words: int,
) -> Float64:
    """Returns the expected links of each pair of distinct words if words were placed at random."""
    shares = [np.bincount(ids, kernel) / max(1e-9, kernel.sum()) for ids in (source, target)]
    return np.asarray(shares[0][source_kinds] * shares[1][target_kinds] * words)


def spelling_similarity(source: Sequence[str], target: Sequence[str]) -> Float64:
    """Returns the Dice similarity of words by letter bigrams, 0 if small, `(source, target)`."""
    bigrams = [[_bigrams(word) for word in words] for words in (source, target)]
    numbers = {bigram: n for n, bigram in enumerate({g: None for each in bigrams[1] for g in each})}
    has = [np.zeros((len(words), len(numbers)), np.float32) for words in bigrams]
    for rows, words in zip(has, bigrams, strict=True):
        for row, found in zip(rows, words, strict=True):
            row[[numbers[bigram] for bigram in found if bigram in numbers]] = 1
    sizes = [np.array([len(found) for found in words], np.float64) for words in bigrams]
    shares = 2 * (has[0] @ has[1].T) / np.add.outer(*sizes)
    return np.where(shares >= MIN_SIMILARITY, shares, 0.0)


def _bigrams(word: str) -> list[str]:
    """Returns a word's letter bigrams with its edges; a short word or a number is a single one."""
    if len(word) < 3 or word.isdigit():
        return [word]
    edged = f"^{word}$"
    return list(dict.fromkeys(edged[i : i + 2] for i in range(len(edged) - 1)))
