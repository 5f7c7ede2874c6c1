"""`phrases`: words and short phrases with their translations, from the pairs of a corpus.

A model of sentences makes a sentence of a single word: it has hardly seen one. With the phrases of
its own training pairs beside them it translates `dog` too. Words are aligned by IBM model 1 in both
directions (Brown et al. 1993, "The mathematics of statistical machine translation"), and phrases
are those that no link leaves (Koehn et al. 2003, "Statistical phrase-based translation").
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import regex

from model.errors import ConfigError
from model.folder import write_durably
from model.types import Int64
from training.errors import CorpusError
from training.files.paths import writing
from training.prepare.prepare import open_prepared
from training.recipe import Recipe
from training.synthesis import check_output, check_tags
from training.word_pairs import model1, pairs_in_ranges, posteriors

#: Number of training pairs in which phrases are looked for.
MAX_PAIRS = 200_000
#: Number of words of a phrase.
MAX_WORDS = 3
#: How often a phrase and its translation must occur, and in which share of its occurrences.
MIN_COUNT, MIN_SHARE = 3, 0.3

_APOSTROPHES = ("'", "\u2019")
#: A word, what follows its apostrophe (`I` and `'m`), or another character, which belongs to no
#: phrase.
_TOKEN = regex.compile(r"['\u2019]?\p{L}[\p{L}\p{M}]*(?:-[\p{L}\p{M}]+)*|\S")


class WordSpans(NamedTuple):
    """Words and marks of a text.

    Attributes:
        text: the text.
        spans: start and end of each.
    """

    text: str
    spans: list[tuple[int, int]]

    def forms(self) -> list[str]:
        """Returns the words as they are written."""
        return [self.text[start:end] for start, end in self.spans]


def extract_phrases(recipe: Recipe, output: Path, *, tag: str = "") -> str:
    """Writes words and phrases of the training sources of `recipe`, the most frequent first, each
    with its most frequent translation.

    Args:
        output: receives a line for each: phrase, tab, translation.
        tag: target tag of the sources to read, which is not written; empty: all sources.

    Returns:
        a line that says what was written.

    Raises:
        CorpusError: if the recipe has not been prepared, there are no phrases, or the file cannot
            be written.
        ConfigError: if the recipe does not translate, or has no such tag.
    """
    check_output(output)
    if recipe.task != "translate":
        raise ConfigError(f"phrases need a recipe with task 'translate'. Received: '{recipe.task}'")
    corpus = open_prepared(recipe)
    check_tags([tag] if tag else [], corpus.tokenizer, recipe.output)
    pairs = [
        (source.removeprefix(tag), target)
        for source, target in corpus.train.some_pairs(MAX_PAIRS)
        if source.startswith(tag)
    ]
    sources, targets = ([_words(pair[side]) for pair in pairs] for side in (0, 1))
    found = _likeliest(_phrases(sources, targets, _align(sources, targets))) if pairs else []
    if not found:
        raise CorpusError(f"{output}: no phrase occurs {MIN_COUNT} times with one translation.")
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        write_durably(output, "".join(f"{a}\t{b}\n" for a, b in found).encode())
    return f"{output}: {len(found):,} words and phrases of {len(pairs):,} pairs"


def _words(text: str) -> WordSpans:
    return WordSpans(text, [match.span() for match in _TOKEN.finditer(text)])


def _align(sources: Sequence[WordSpans], targets: Sequence[WordSpans]) -> dict[int, int]:
    """Links words that prefer each other to all others of their pair: positions among the words of
    all sources -> among those of all targets."""
    counts = np.array([len(words.spans) for words in targets], np.int64)
    starts = np.cumsum(counts) - counts
    sizes = [len(words.spans) for words in sources]
    first, second = pairs_in_ranges(np.repeat(starts, sizes), np.repeat(counts, sizes))
    ids = [_ids(words) for words in (sources, targets)]
    kinds, kind = np.unique(
        ids[0][first] * (ids[1].max() + 1) + ids[1][second], return_inverse=True
    )
    names = np.divmod(kinds, ids[1].max() + 1)
    agreement = np.ones(len(first))
    for of, given in ((second, names[0]), (first, names[1])):
        agreement *= posteriors(of, model1(of, kind, given)[kind])
    is_best = np.ones(len(first), bool)
    for side in (first, second):
        best = np.zeros(side.max() + 1)
        np.maximum.at(best, side, agreement)
        is_best &= agreement == best[side]
    return _one_to_one(first[is_best], second[is_best])


def _ids(texts: Sequence[WordSpans]) -> Int64:
    """Returns a number for each word of all texts, the same for the same letters in any case."""
    numbers: dict[str, int] = defaultdict(lambda: len(numbers))
    return np.array([numbers[form.casefold()] for words in texts for form in words.forms()])


def _one_to_one(first: Int64, second: Int64) -> dict[int, int]:
    """Leaves out links of words that have several, which are equally good."""
    is_single = [(np.bincount(side) == 1)[side] for side in (first, second)]
    kept = is_single[0] & is_single[1]
    return dict(zip(first[kept].tolist(), second[kept].tolist(), strict=True))


def _phrases(
    sources: Sequence[WordSpans], targets: Sequence[WordSpans], links: dict[int, int]
) -> Counter[tuple[str, str]]:
    """Counts the pairs of phrases that begin and end with linked words, and that no link leaves."""
    found = Counter[tuple[str, str]]()
    spelt = [_spellings(texts) for texts in (sources, targets)]
    source_start = target_start = 0
    for source, target in zip(sources, targets, strict=True):
        own = {
            i: links[i + source_start] - target_start
            for i in range(len(source.spans))
            if i + source_start in links
        }
        for (first, last), (low, high) in _closed_spans(own):
            if _is_whole(source, first, last, own) and _is_whole(target, low, high, own.values()):
                pair = _phrase(source, first, last, spelt[0]), _phrase(target, low, high, spelt[1])
                if all(pair):
                    found[pair] += 1
        source_start += len(source.spans)
        target_start += len(target.spans)
    return found


def _closed_spans(links: dict[int, int]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yields first and last word of each such phrase, and of its counterpart. `links` are in order
    of the source's words."""
    linked = list(links)
    for start in range(len(linked)):
        for end in range(start, min(len(linked), start + MAX_WORDS)):
            inside = linked[start : end + 1]
            places = [links[i] for i in inside]
            low, high = min(places), max(places)
            if sum(low <= place <= high for place in links.values()) == len(inside):
                yield (inside[0], inside[-1]), (low, high)


def _is_whole(words: WordSpans, first: int, last: int, linked: Container[int]) -> bool:
    """Tells whether no word without a link is next to a phrase: it may belong to it."""
    around = [place for place in (first - 1, last + 1) if 0 <= place < len(words.spans)]
    return all(
        place in linked or not words.text[words.spans[place][1] - 1].isalpha() for place in around
    )


def _spellings(texts: Sequence[WordSpans]) -> dict[str, str]:
    """Returns the most frequent form of each word, by its lower case, within sentences: at the
    start of one, a capital says nothing."""
    forms = Counter(chain.from_iterable(words.forms()[1:] for words in texts))
    return {form.casefold(): form for form, _ in reversed(forms.most_common())}


def _phrase(words: WordSpans, first: int, last: int, spelt: dict[str, str]) -> str:
    """Returns the text from one word to another; empty if it is too long, or has marks or half of
    `I'm`."""
    if last - first >= MAX_WORDS:
        return ""
    start, end = words.spans[first][0], words.spans[last][1]
    forms = words.forms()[first : last + 2]
    is_cut = [form.startswith(_APOSTROPHES) for form in (forms[0], *forms[last - first + 1 :])]
    if any(is_cut) or not all(form[-1].isalpha() for form in forms[: last - first + 1]):
        return ""
    text = words.text[start:end]
    if first == 0:
        text = spelt.get(forms[0].casefold(), forms[0]) + text[len(forms[0]) :]
    return text


def _likeliest(counts: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns each phrase with its most frequent translation, if that is frequent enough."""
    totals = Counter[str]()
    for (source, _), count in counts.items():
        totals[source] += count
    best: dict[str, str] = {}
    for (source, target), count in counts.most_common():
        if count >= MIN_COUNT and count >= MIN_SHARE * totals[source]:
            best.setdefault(source, target)
    return [*best.items()]
