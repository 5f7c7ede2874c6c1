"""Pairs of words that occur together: which there are, and how likely each is a translation."""

from __future__ import annotations

import numpy as np

from model.types import Float64, Int64

ITERATIONS = 5


def pairs_in_ranges(lows: Int64, counts: Int64) -> tuple[Int64, Int64]:
    """Returns all pairs `(first, second)`, `(pairs,)` each, of an index i of `lows` with one of the
    `counts[i]` positions from `lows[i]` on."""
    first = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts  # of the pairs of each index
    return first, np.arange(len(first)) + (lows - starts)[first]


def model1(of: Int64, kind: Int64, given: Int64) -> Float64:
    """Returns t(word | given word) of each pair of distinct words, `(kinds,)`, by expectation
    maximisation from a uniform start: IBM Model 1 (Brown et al. 1993, Computational Linguistics
    19(2), section 4.1).

    Args:
        of: position of the word that is explained, of each pair that occurs, `(pairs,)`.
        kind: number of its pair of distinct words, `(pairs,)`.
        given: number of the explaining word, by kind, `(kinds,)`.
    """
    probabilities = np.ones(len(given))
    for _ in range(ITERATIONS):
        expected = np.bincount(kind, posteriors(of, probabilities[kind]))
        probabilities = expected / np.bincount(given, expected)[given]
    return probabilities


def posteriors(of: Int64, strength: Float64) -> Float64:
    """Returns the share of each pair in the strength of all pairs of its word, `(pairs,)`."""
    totals = np.bincount(of, strength)[of]
    return np.divide(strength, totals, out=totals)
