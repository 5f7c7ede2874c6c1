"""Words that a hypothesis must hold before it may end: lexically constrained beam search.

A beam would rarely say them by itself, and one that holds them is rarely among the likeliest while
others do not. So every hypothesis that lives is continued by what it still needs, however unlikely,
and the places of a beam are dealt out evenly among hypotheses that have come equally far (Post and
Vilar 2018, arXiv:1804.06609; in arrays as in Hu et al. 2019, NAACL). Works on ids; knows no text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.search.requests import SearchRequest

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Places = NDArray[np.intp]


class Requirements:
    """What each of G requests requires: up to P phrases of up to L tokens each.

    How far a hypothesis has come is an int32 `(P,)`: of each phrase, how many of its first tokens
    were just said, or all of them once they were said in a row. Phrases may overlap.

    Args:
        requests: in their order.

    Attributes:
        in_use: whether any request requires anything.
        are_asked: bool `(G,)`, of which.
        reach: how many more of the likeliest tokens must be told, so that `spread` finds what it
            would find among all.
    """

    def __init__(self, requests: Sequence[SearchRequest]) -> None:
        self.in_use = any(request.required for request in requests)
        self.reach = 0
        if self.in_use:
            self._read([[tuple(each) for each in request.required] for request in requests])

    def _read(self, phrases: list[list[tuple[int, ...]]]) -> None:
        count = max(len(each) for each in phrases)
        longest = max(len(phrase) for own in phrases for phrase in own)
        self.are_asked = np.array([bool(own) for own in phrases], bool)
        self.reach = max(len({token for phrase in own for token in phrase}) for own in phrases)
        self._lengths = np.zeros((len(phrases), count), np.int32)
        self._tokens = np.full((len(phrases), self.reach), -1, np.int32)
        keys: list[int] = []
        tables: list[NDArray[np.int32]] = []
        for g, own in enumerate(phrases):
            self._lengths[g, : len(own)] = [len(phrase) for phrase in own]
            tokens = sorted({token for phrase in own for token in phrase})
            self._tokens[g, : len(tokens)] = tokens
            keys += [g << 32 | token for token in tokens]
            tables += [_table(own, token, count, longest) for token in tokens]
        self._keys = np.array(keys, np.int64)
        self._tables = np.array(tables, np.int32).reshape(len(keys), count, longest + 1)

    def wanted(self, progress: Ints, requests: Places) -> Ints:
        """Tokens that take some phrase of each row further, or back: `(rows, n)`, -1 for none.
        `progress` is `(rows, P)`, `requests` `(rows,)`."""
        is_met = self.is_met(progress, requests)[:, None]
        return np.where(is_met, np.int32(-1), self._tokens[requests])

    def is_met(self, progress: Ints, requests: Places) -> NDArray[np.bool_]:
        """Whether all phrases were said, `(rows,)`."""
        return np.asarray((progress == self._lengths[requests]).all(axis=-1))

    def banks(self, progress: Ints) -> Ints:
        """How far hypotheses have come as one number: `(G, n)` of `progress` `(G, n, P)`. The
        tokens of what was said, and those of the phrase that has come furthest otherwise: if all
        counted, to go on with one of two that begin alike would be no gain."""
        is_done = progress == self._lengths[:, None]
        said = np.where(is_done, progress, 0).sum(axis=2)
        return np.asarray(said + np.where(is_done, 0, progress).max(axis=2))

    def after(self, progress: Ints, requests: Places, tokens: Ints) -> Ints:
        """How far each row would be with each of `tokens` `(rows, n)`: `(rows, n, P)`."""
        is_done = progress == self._lengths[requests]
        reached = np.where(is_done, progress, 0)[:, None].repeat(tokens.shape[1], axis=1)
        sought = requests.astype(np.int64)[:, None] << 32 | tokens
        found = np.searchsorted(self._keys, sought).clip(max=len(self._keys) - 1)
        rows, columns = np.nonzero(self._keys[found] == sought)
        tables = self._tables[found[rows, columns]]  # n P L+1
        reached[rows, columns] = np.take_along_axis(tables, progress[rows, :, None], axis=2)[..., 0]
        return np.asarray(reached, np.int32)


def spread(logprobs: Floats, banks: Ints, width: int) -> Places:
    """Deals out `width` places: to the best candidate of each bank, the furthest bank first, then
    to the second best of each, and so on.

    Args:
        logprobs: `(G, n)`; -inf where there is no candidate.
        banks: `(G, n)`, how far each candidate has come.
        width: how many to choose.

    Returns:
        `(G, width)`, places along the second axis.
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


def _table(phrases: Sequence[tuple[int, ...]], token: int, count: int, longest: int) -> Ints:
    """How far `token` takes each phrase from each place within it: `(P, L + 1)`. A phrase that was
    said stays said; one that is broken off goes on from the longest beginning that still fits
    (Knuth, Morris and Pratt 1977)."""
    table = np.zeros((count, longest + 1), np.int32)
    for p, phrase in enumerate(phrases):
        table[p, len(phrase)] = len(phrase)
        for place in range(len(phrase)):
            said = (*phrase[:place], token)
            fits = (n for n in range(len(said), 0, -1) if said[-n:] == phrase[:n])
            table[p, place] = next(fits, 0)
    return table
