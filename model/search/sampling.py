"""Draws tokens at random, each hypothesis by itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.config import SearchOptions
from model.contract import EVERY_TOKEN

Floats = NDArray[np.float64]


class Sampler:
    """Draws for requests that come and go. Each has a stream of random numbers of its own, so that
    its draws do not depend on who else is there.

    Attributes:
        reach: how many of the likeliest tokens some request draws among.
    """

    def __init__(self) -> None:
        self._options: list[SearchOptions] = []
        self._streams: list[np.random.Generator | None] = []  # None: draws nothing
        self._read_options()

    def add(self, options: Sequence[SearchOptions]) -> None:
        """Lets requests join, last."""
        self._options += options
        self._streams += [
            np.random.default_rng(each.seed) if each.temperature > 0 else None for each in options
        ]
        self._read_options()

    def keep(self, requests: NDArray[np.bool_]) -> None:
        """Keeps those that are True in `requests` `(G,)`."""
        self._options = list(itertools.compress(self._options, requests))
        self._streams = list(itertools.compress(self._streams, requests))
        self._read_options()

    def draw(self, logprobs: Floats) -> NDArray[np.intp]:
        """One continuation of each hypothesis, from `logprobs` `(G, W, K)` of its next tokens.

        Returns:
            `(G, W)`, places in each request's W x K candidates. Those of requests without a
            temperature mean nothing.
        """
        count, width, top_k = logprobs.shape
        uniform = np.zeros((count, width))
        for place, (stream, options) in enumerate(zip(self._streams, self._options, strict=True)):
            if stream is not None:
                uniform[place, : options.beam_size] = stream.random(options.beam_size)[:width]
        places = draw(
            logprobs.reshape(-1, top_k),
            uniform.ravel(),
            temperature=np.repeat(self._temperature, width),
            top_k=np.repeat(self._top_k, width),
            top_p=np.repeat(self._top_p, width),
        )
        return np.arange(width) * top_k + places.reshape(count, width)

    def _read_options(self) -> None:
        self.reach = 0
        if not any(self._streams):
            return
        drawn = itertools.compress(self._options, self._streams)
        self.reach = max(each.top_k or EVERY_TOKEN for each in drawn)
        self._temperature = np.array([each.temperature or 1.0 for each in self._options])
        self._top_k = np.array([each.top_k for each in self._options], float)
        self._top_p = np.array([each.top_p for each in self._options])


def draw(
    logprobs: Floats, uniform: Floats, *, temperature: Floats, top_k: Floats, top_p: Floats
) -> NDArray[np.intp]:
    """Draws one candidate of each row by the inverse of its cumulative distribution.

    Args:
        logprobs: `(rows, n)`, in nats, in any order and with any sum; -inf is never drawn, unless a
            row has nothing else.
        uniform: `(rows,)`, random numbers in [0, 1).
        temperature: `(rows,)`, > 0; they are divided by it.
        top_k: `(rows,)`, only so many of the likeliest are drawn; 0: all (Fan et al. 2018).
        top_p: `(rows,)`, only the likeliest that together reach this share (Holtzman et al. 2020).

    Returns:
        `(rows,)`, places along the second axis.
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
