"""Greedy search, beam search, sampling and scoring, with continuous batching.

`Search` drives an engine: `add` lets requests join, `step` extends each of them by one token and
returns the finished ones. A request gets the same answer alone or in a batch. Knows the contract
and its options; no network, no text, no clock. All work per token is done on arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from model import contract
from model.contract import Engine
from model.search.batch import Batch
from model.search.requests import Answer, Request, ScoredPair, SearchRequest
from model.search.scoring import ScoringBatch


class BatchKey(NamedTuple):
    """Properties shared by the requests of a batch.

    Attributes:
        width: hypotheses per request; 0: given targets are scored.
        is_short: whether they choose from shortlists.
    """

    width: int
    is_short: bool = False


@dataclass(frozen=True)
class Encoded:
    """Requests with encoded sources.

    Attributes:
        sources: the encoded sources of the engine.
        slots: for each batch, the contents of each slot: the index of its source, ascending, and a
            `SearchRequest` or a `ScoredPair`.
    """

    sources: contract.Encoded
    slots: Mapping[BatchKey, Sequence[tuple[int, Any]]]


class Search:
    """Decodes requests together, one token at a time. Not thread-safe, except for `encode`.

    Beam search as in Sutskever et al. 2014: the `beam_size` likeliest continuations are kept; a
    finished hypothesis leaves the beam, which is narrower from then on. A request is done when its
    beam is empty, or when no live hypothesis can still overtake its n-th best finished one, so that
    stopping early changes no answer. With `beam_size=1` this is greedy search. With a
    `temperature`, `beam_size` hypotheses are sampled independently instead.

    Requests of one beam width form a `Batch`, with one call of the engine per step; requests that
    score given targets form a `ScoringBatch`.

    Args:
        engine: runs the network.
        bos_id: the token with which every hypothesis begins.
        eos_id: the token that ends a hypothesis.
        blocked_ids: tokens that no hypothesis may contain, such as the unknown word.
    """

    def __init__(
        self, engine: Engine, *, bos_id: int, eos_id: int, blocked_ids: Collection[int] = ()
    ) -> None:
        self._engine = engine
        blocked = sorted(blocked_ids)
        self._make_batch = partial(Batch, bos_id=bos_id, eos_id=eos_id, blocked_ids=blocked)
        self._make_scoring = partial(
            ScoringBatch, bos_id=bos_id, eos_id=eos_id, blocked_ids=blocked
        )
        self._batches: dict[BatchKey, Batch | ScoringBatch] = {}

    @property
    def is_idle(self) -> bool:
        """Tells whether no request is in search."""
        return not self._batches

    def add(self, requests: Sequence[Request]) -> None:
        """Encodes `requests` as one batch. They start at the next step."""
        if requests:
            self.join(self.encode(requests))

    def encode(self, requests: Sequence[Request]) -> Encoded:
        """Encodes the sources of one or more requests, equal sources of a batch only once. Changes
        no state, and may run in another thread while this search steps."""
        parts = [part for request in requests for part in _parts(request)]
        parts.sort(key=lambda part: (len(part.source_ids), tuple(part.source_ids)))
        places: dict[tuple[BatchKey, Sequence[int]], int] = {}
        slots: dict[BatchKey, list[tuple[int, Any]]] = {}
        for part in parts:
            key = self._batch_key(part)
            place = places.setdefault((key, tuple(part.source_ids)), len(places))
            slots.setdefault(key, []).append((place, part))
        lengths = np.array([len(source) for _, source in places], np.int32)
        source_ids = np.zeros((len(places), lengths.max()), np.int32)
        for row, (_, source) in enumerate(places):
            source_ids[row, : lengths[row]] = source
        use_shortlist = np.array([key.is_short for key, _ in places], bool)
        return Encoded(self._engine.encode(source_ids, lengths, use_shortlist), slots)

    def join(self, encoded: Encoded) -> None:
        """Starts requests at the next step. If it fails, nothing has changed."""
        batches = {key: self._batches.get(key) or self._new_batch(key) for key in encoded.slots}
        reserved = {
            key: batches[key].reserve(encoded.sources, np.array([place for place, _ in own]))
            for key, own in encoded.slots.items()
        }
        for key, own in encoded.slots.items():
            batches[key].insert(reserved[key], [each for _, each in own])
        self._batches |= batches

    def remove(self, keys: Collection[Hashable]) -> None:
        """Removes requests. Unknown keys are ignored."""
        for batch in self._batches.values():
            batch.remove(keys)
        self._drop_empty()

    def step(self) -> list[Answer]:
        """Extends every request by one token. Returns the finished ones, best hypothesis first."""
        answers: list[Answer] = []
        for batch in self._batches.values():
            answers += batch.step()
        if answers:
            self._drop_empty()
        return answers

    def final_tokens(self, after: Mapping[Hashable, int]) -> dict[Hashable, tuple[int, ...]]:
        """Returns the new final tokens of some requests in search: the tokens on which all their
        hypotheses agree, beyond the first `after[key]`. Requests without any are left out."""
        found: dict[Hashable, tuple[int, ...]] = {}
        for batch in self._batches.values():
            found |= batch.final_tokens(after)
        return found

    def _batch_key(self, part: SearchRequest | ScoredPair) -> BatchKey:
        if isinstance(part, ScoredPair):
            return BatchKey(0)
        is_short = self._engine.has_shortlist and part.uses_shortlist
        return BatchKey(part.options.beam_size, is_short)

    def _new_batch(self, key: BatchKey) -> Batch | ScoringBatch:
        if not key.width:
            return self._make_scoring(self._engine.new_table(1, use_shortlist=False))
        table = self._engine.new_table(key.width, use_shortlist=key.is_short)
        return self._make_batch(table, key.width)

    def _drop_empty(self) -> None:
        self._batches = {key: batch for key, batch in self._batches.items() if batch}


def _parts(request: Request) -> Sequence[SearchRequest | ScoredPair]:
    """Returns the parts of a request that get slots of their own."""
    if isinstance(request, SearchRequest):
        return [request]
    return [ScoredPair(request, index) for index in range(len(request.pairs))]
