"""Sampling of tokens, independently for each hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.search.beams import OptionsTable
from model.search.requests import MAX_TOP_K
from model.types import Float64, Indices


class Sampler:
    """Samples tokens for requests. Each request has its own random number generator, so that its
    samples do not depend on other requests.

    Args:
        options: `(G,)`, options of the requests, at least one of which samples.
        rngs: random number generator of each request; None: it does not sample.

    Attributes:
        is_sampled: bool `(G,)`, which requests sample.
        max_top_k: the largest `top_k` of the requests that sample.
    """

    def __init__(self, options: OptionsTable, rngs: Sequence[np.random.Generator | None]) -> None:
        self._rngs = rngs
        self._beam_sizes = options["beam_size"].tolist()
        self.is_sampled = options["temperature"] > 0
        self._temperature = np.where(self.is_sampled, options["temperature"], 1.0)
        self._top_k = np.where(options["top_k"] > 0, options["top_k"], MAX_TOP_K)
        self._top_p = options["top_p"]
        self.max_top_k = int(self._top_k[self.is_sampled].max())

    def draw(self, logprobs: Float64) -> Indices:
        """Draws a continuation of each hypothesis, from `logprobs` `(G, W, K)` of its next tokens.

        Returns:
            `(G, W)`, indices into the W x K candidates of each request; meaningless for requests
            that do not sample.
        """
        count, width, top_k = logprobs.shape
        uniform = np.zeros((count, width))
        for place, (rng, size) in enumerate(zip(self._rngs, self._beam_sizes, strict=True)):
            if rng is not None:
                uniform[place, :size] = rng.random(size)[:width]
        places = draw(
            logprobs.reshape(-1, top_k),
            uniform.ravel(),
            temperature=np.repeat(self._temperature, width),
            top_k=np.repeat(self._top_k, width),
            top_p=np.repeat(self._top_p, width),
        )
        return np.arange(width) * top_k + places.reshape(count, width)


def draw(
    logprobs: Float64, uniform: Float64, *, temperature: Float64, top_k: Float64, top_p: Float64
) -> Indices:
    """Draws one candidate per row by inverting its cumulative distribution.

    Args:
        logprobs: `(rows, n)`, in nats, in any order and not necessarily normalised; -inf is never
            drawn, unless a row has nothing else.
        uniform: `(rows,)`, random numbers in [0, 1).
        temperature: `(rows,)`, > 0; log-probabilities are divided by it.
        top_k: `(rows,)`, restricts to the k likeliest; 0: no restriction (Fan et al. 2018).
        top_p: `(rows,)`, restricts to the likeliest candidates that together have this probability
            (Holtzman et al. 2020).

    Returns:
        `(rows,)`, indices along the second axis.
    """
    order = np.argsort(-logprobs, axis=1, kind="stable")
    ranked = np.take_along_axis(logprobs, order, axis=1)
    best = np.where(np.isfinite(ranked[:, :1]), ranked[:, :1], 0.0)
    with np.errstate(over="ignore"):  # the smallest temperatures leave the likeliest alone
        mass = np.exp((ranked - best) / temperature[:, None])
    mass[(np.arange(mass.shape[1]) >= top_k[:, None]) & (top_k > 0)[:, None]] = 0.0
    # Unlike `sum`, a running sum does not depend on the number of trailing zeros.
    reached = np.cumsum(mass, axis=1)
    outside = reached - mass >= top_p[:, None] * reached[:, -1:]
    mass[outside] = 0.0
    reached = np.cumsum(mass, axis=1)
    place = (reached <= uniform[:, None] * reached[:, -1:]).sum(axis=1)
    place = np.minimum(place, (mass > 0).sum(axis=1) - 1).clip(min=0)
    return np.take_along_axis(order, place[:, None], axis=1)[:, 0]
