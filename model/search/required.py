"""Lexically constrained beam search: phrases that a hypothesis must contain before it may end.

A beam rarely produces them by itself, and a hypothesis that contains them is rarely among the
likeliest ones. Every live hypothesis is therefore also continued by the tokens that it still needs,
however unlikely, and the beam is divided evenly among hypotheses by their progress (Post and Vilar
2018, arXiv:1804.06609; with arrays as in Hu et al. 2019, NAACL). Works on ids; knows no text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.search.requests import SearchRequest
from model.types import Bool, Float64, Indices, Int32


class PhraseConstraints:
    """The required phrases of G requests: up to P phrases of up to L tokens each.

    The progress of a hypothesis is an int32 `(P,)`: for each phrase, the number of its first tokens
    with which the history ends, or all of them once the history contains it. Phrases may overlap.

    Args:
        requests: the requests, in order; at least one has required phrases.

    Attributes:
        has_phrases: bool `(G,)`, which requests have required phrases.
        extra_candidates: how many more of the likeliest tokens `allocate_beam` needs to get the
            same result as over the whole vocabulary.
    """

    def __init__(self, requests: Sequence[SearchRequest]) -> None:
        phrases = [[tuple(each) for each in request.required] for request in requests]
        count = max(len(each) for each in phrases)
        longest = max(len(phrase) for own in phrases for phrase in own)
        self.has_phrases = np.array([bool(own) for own in phrases], bool)
        self.extra_candidates = max(
            len({token for phrase in own for token in phrase}) for own in phrases
        )
        self._lengths = np.zeros((len(phrases), count), np.int32)
        self._tokens = np.full((len(phrases), self.extra_candidates), -1, np.int32)
        keys: list[int] = []
        tables: list[Int32] = []
        for g, own in enumerate(phrases):
            self._lengths[g, : len(own)] = [len(phrase) for phrase in own]
            tokens = sorted({token for phrase in own for token in phrase})
            self._tokens[g, : len(tokens)] = tokens
            keys += [g << 32 | token for token in tokens]
            tables += [_table(own, token, count, longest) for token in tokens]
        self._keys = np.array(keys, np.int64)
        self._tables = np.array(tables, np.int32).reshape(len(keys), count, longest + 1)

    def wanted(self, progress: Int32, requests: Indices) -> Int32:
        """Returns the tokens that advance each row: `(rows, n)`, -1 for none. `progress` is `(rows,
        P)`, `requests` `(rows,)`."""
        is_met = self.is_met(progress, requests)[:, None]
        return np.where(is_met, np.int32(-1), self._tokens[requests])

    def is_met(self, progress: Int32, requests: Indices) -> Bool:
        """Tells which rows contain all phrases, `(rows,)`."""
        return np.asarray((progress == self._lengths[requests]).all(axis=-1))

    def banks(self, progress: Int32) -> Int32:
        """Returns the bank of each hypothesis, its progress as one number: `(G, n)` for `progress`
        `(G, n, P)`. It counts the tokens of complete phrases and of the most advanced incomplete
        one. If it counted all incomplete phrases, continuing one of two phrases with the same
        beginning would gain nothing."""
        is_done = progress == self._lengths[:, None]
        complete = np.where(is_done, progress, 0).sum(axis=2)
        return np.asarray(complete + np.where(is_done, 0, progress).max(axis=2))

    def after(self, progress: Int32, requests: Indices, tokens: Int32) -> Int32:
        """Returns the progress of each row after each of `tokens` `(rows, n)`: `(rows, n, P)`."""
        is_done = progress == self._lengths[requests]
        reached = np.where(is_done, progress, 0)[:, None].repeat(tokens.shape[1], axis=1)
        sought = requests.astype(np.int64)[:, None] << 32 | tokens
        found = np.searchsorted(self._keys, sought).clip(max=len(self._keys) - 1)
        rows, columns = np.nonzero(self._keys[found] == sought)
        tables = self._tables[found[rows, columns]]  # n P L+1
        reached[rows, columns] = np.take_along_axis(tables, progress[rows, :, None], axis=2)[..., 0]
        return np.asarray(reached, np.int32)


def allocate_beam(logprobs: Float64, banks: Int32, width: int) -> Indices:
    """Chooses `width` candidates: the best of each bank, the most advanced bank first, then the
    second best of each, and so on.

    Args:
        logprobs: `(G, n)`; -inf where there is no candidate.
        banks: `(G, n)`, the progress of each candidate.
        width: number of candidates to choose.

    Returns:
        `(G, width)`, indices along the second axis.
    """
    order = np.lexsort((-logprobs, -banks), axis=1)  # by bank, then the best first; stable
    ordered = np.take_along_axis(banks, order, axis=1)
    places = np.arange(order.shape[1])
    is_first = np.ones(order.shape, bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    rank = places - np.maximum.accumulate(np.where(is_first, places, 0), axis=1)
    rank[~np.isfinite(np.take_along_axis(logprobs, order, axis=1))] = order.shape[1]
    chosen = np.argsort(rank, axis=1, kind="stable")[:, :width]
    return np.take_along_axis(order, chosen, axis=1)


def _table(phrases: Sequence[tuple[int, ...]], token: int, count: int, longest: int) -> Int32:
    """Builds the table of each phrase's progress after `token`, given its progress before: `(P, L +
    1)`. A complete phrase stays complete; an interrupted one falls back to the longest prefix that
    still matches (Knuth, Morris and Pratt 1977)."""
    table = np.zeros((count, longest + 1), np.int32)
    for p, phrase in enumerate(phrases):
        table[p, len(phrase)] = len(phrase)
        for place in range(len(phrase)):
            history = (*phrase[:place], token)
            fits = (n for n in range(len(history), 0, -1) if history[-n:] == phrase[:n])
            table[p, place] = next(fits, 0)
    return table
