"""Pairs of words, and IBM Model 1 on counts that a person can work out."""

from __future__ import annotations

import numpy as np

from training.word_pairs import model1, pairs_in_ranges, posteriors


def test_ranges_give_all_their_pairs() -> None:
    first, second = pairs_in_ranges(np.array([5, 0, 7]), np.array([2, 0, 3]))
    assert [*zip(first.tolist(), second.tolist(), strict=True)] == [
        *((0, 5), (0, 6)),
        *((2, 7), (2, 8), (2, 9)),
    ]


def test_a_text_alone_tells_the_words_of_a_longer_one_apart() -> None:
    """The texts are `a b` with `x y`, and `a` with `x`."""
    of = np.array([0, 0, 1, 1, 2])  # x, x, y, y, x
    kind = np.array([0, 1, 2, 3, 0])  # x|a, x|b, y|a, y|b
    probabilities = model1(of, kind, given=np.array([0, 1, 0, 1]))
    assert probabilities[0] > 0.9 and probabilities[3] > 0.7
    np.testing.assert_allclose(probabilities[:2] + probabilities[2:], 1.0)
    np.testing.assert_allclose(np.bincount(of, posteriors(of, probabilities[kind])), 1.0)
