"""Replies looked up among exchanges with BM25: the baseline that learns nothing."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from benchmarks.chat.measures import lowercase_words

#: How soon more of the same word stops to count, and how much long messages are held back.
K1, B = 1.2, 0.75


class BM25:
    """Exchanges, found by the words of their messages.

    Args:
        exchanges: message and reply, at least one pair; equal pairs count once.

    Reference: Robertson and Zaragoza 2009, The Probabilistic Relevance Framework, eq. 3.15.
    """

    def __init__(self, exchanges: Iterable[tuple[str, str]]) -> None:
        pairs = list(dict.fromkeys(exchanges))
        self._replies = [reply for _, reply in pairs]
        self._most_frequent = Counter(self._replies).most_common(1)[0][0]
        bags = [Counter(lowercase_words(message)) for message, _ in pairs]
        lengths = np.array([bag.total() for bag in bags], np.float64)
        penalties = K1 * (1 - B + B * lengths / max(lengths.mean(), 1e-9))
        places: dict[str, list[int]] = defaultdict(list)
        counts: dict[str, list[int]] = defaultdict(list)
        for number, bag in enumerate(bags):
            for word, count in bag.items():
                places[word].append(number)
                counts[word].append(count)
        self._weights: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {}
        for word, found in places.items():
            indices, frequencies = np.array(found), np.array(counts[word], np.float64)
            rarity = math.log(1 + (len(pairs) - len(found) + 0.5) / (len(found) + 0.5))
            weights = rarity * frequencies / (frequencies + penalties[indices])
            self._weights[word] = indices, weights

    def reply(self, message: str) -> str:
        """Returns the reply to the stored message that is most like `message`, the first of equals;
        if none shares a word with it, the most frequent reply."""
        scores = np.zeros(len(self._replies))
        for word, times in Counter(lowercase_words(message)).items():
            if word in self._weights:
                indices, weights = self._weights[word]
                scores[indices] += times * weights
        best = int(scores.argmax())
        return self._replies[best] if scores[best] else self._most_frequent
