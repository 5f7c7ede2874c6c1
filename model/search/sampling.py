"""Sampling: draws tokens at random, for each hypothesis independently."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.search.rules import DRAWS, Floats, Rules, all_uses

#: The largest `top_k` of sampling. To return more takes a graph longer than all the rest of a step.
MOST_DRAWN = 1_000


class Sampler:
    """Draws tokens for requests. Each has random numbers of its own, so that its draws do not
    depend on the other requests.

    Args:
        rules: `(G,)`, their options.
        streams: the random numbers of each; None: it does not sample.

    Attributes:
        in_use: whether any request samples.
        is_drawn: bool `(G,)`, which do; only while any does.
        reach: the largest `top_k` of those that sample.
    """

    def __init__(self, rules: Rules, streams: Sequence[np.random.Generator | None]) -> None:
        self.in_use = bool(all_uses(rules) & DRAWS)
        self.reach = 0
        if self.in_use:
            self._streams = streams
            self._beam_sizes = rules["beam_size"].tolist()
            self.is_drawn = rules["temperature"] > 0
            self._temperature = np.where(self.is_drawn, rules["temperature"], 1.0)
            wished = np.where(rules["top_k"] > 0, rules["top_k"], MOST_DRAWN)
            self._top_k, self._top_p = np.minimum(wished, MOST_DRAWN), rules["top_p"]
            self.reach = int(self._top_k[self.is_drawn].max())

    def draw(self, logprobs: Floats) -> NDArray[np.intp]:
        """Draws a continuation of each hypothesis, from `logprobs` `(G, W, K)` of its next tokens.

        Returns:
            `(G, W)`, indices into each request's W x K candidates; meaningless for requests that do
            not sample.
        """
        count, width, top_k = logprobs.shape
        uniform = np.zeros((count, width))
        for place, (stream, size) in enumerate(zip(self._streams, self._beam_sizes, strict=True)):
            if stream is not None:
                uniform[place, :size] = stream.random(size)[:width]
        places = draw(
            logprobs.reshape(-1, top_k),
            uniform.ravel(),
            temperature=np.repeat(self._temperature, width),
            top_k=np.repeat(self._top_k, width),
            top_p=np.repeat(self._top_p, width),
        )
        return np.arange(width) * top_k + places.reshape(count, width)


def draw(
    logprobs: Floats, uniform: Floats, *, temperature: Floats, top_k: Floats, top_p: Floats
) -> NDArray[np.intp]:
    """Draws one candidate of each row by the inverse of its cumulative distribution.

    Args:
        logprobs: `(rows, n)`, in nats, in any order and with any sum; -inf is never drawn, unless a
            row has nothing else.
        uniform: `(rows,)`, random numbers in [0, 1).
        temperature: `(rows,)`, > 0; log-probabilities are divided by it.
        top_k: `(rows,)`, draws only from the k likeliest; 0: from all (Fan et al. 2018).
        top_p: `(rows,)`, draws only from the likeliest that together have this probability
            (Holtzman et al. 2020).

    Returns:
        `(rows,)`, indices along the second axis.
    """
    order = np.argsort(-logprobs, axis=1, kind="stable")
    ranked = np.take_along_axis(logprobs, order, axis=1)
    best = np.where(np.isfinite(ranked[:, :1]), ranked[:, :1], 0.0)
    mass = np.exp((ranked - best) / temperature[:, None])
    mass[(np.arange(mass.shape[1]) >= top_k[:, None]) & (top_k > 0)[:, None]] = 0.0
    # A running sum, unlike `sum`, does not depend on how many zeros follow.
    reached = np.cumsum(mass, axis=1)
    outside = reached - mass >= top_p[:, None] * reached[:, -1:]
    mass[outside] = 0.0
    reached = np.cumsum(mass, axis=1)
    place = (reached <= uniform[:, None] * reached[:, -1:]).sum(axis=1)
    place = np.minimum(place, (mass > 0).sum(axis=1) - 1).clip(min=0)
    return np.take_along_axis(order, place[:, None], axis=1)[:, 0]
