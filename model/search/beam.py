"""Greedy search, beam search, sampling and scoring for any number of requests that come and go.

`Search` drives an engine: `add` lets requests join, `step` extends each of them by one token and
returns those that are done. A request gets the same answer alone or in a batch. Knows the contract
and its options; no network, no text, no clock. Every token's work is on arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from model import contract
from model.contract import Engine
from model.search.batch import Batch
from model.search.requests import Answer, Request, ScoredPair, SearchRequest
from model.search.scoring import ScoringBatch
from model.types import Places


class BatchKey(NamedTuple):
    """What requests of a batch have in common.

    Attributes:
        width: hypotheses of each; 0: given targets are scored.
        is_short: whether they choose from shortlists.
    """

    width: int
    is_short: bool = False


class _Batch(Protocol):
    """Requests that are stepped together: a `Batch` or a `ScoringBatch`."""

    def __bool__(self) -> bool: ...
    @property
    def active_rows(self) -> int: ...
    def reserve(self, encoded: contract.Encoded, sources: Places) -> Places: ...
    def insert(self, slots: Places, requests: Sequence[Any], /) -> None: ...
    def remove(self, keys: Collection[Hashable]) -> None: ...
    def step(self) -> list[Answer]: ...
    def agreed(self, after: Mapping[Hashable, int]) -> dict[Hashable, tuple[int, ...]]: ...


@dataclass(frozen=True)
class Encoded:
    """Requests whose sources were encoded.

    Attributes:
        sources: the engine's.
        slots: for each batch, what each slot gets: the place of its source, ascending, and a
            `SearchRequest` or a `ScoredPair`.
    """

    sources: contract.Encoded
    slots: Mapping[BatchKey, Sequence[tuple[int, Any]]]


class Search:
    """Decodes requests together, one token at a time. For one thread, but for `encode`.

    Beam search as in Sutskever et al. 2014: the `beam_size` likeliest continuations are kept; one
    that ends leaves the beam, which is narrower from then on. A request is done when its beam is
    empty, or when no live hypothesis can still overtake its n-th best finished one: stopping early
    changes no answer. With `beam_size=1` this is greedy search. With a `temperature`, `beam_size`
    hypotheses are sampled instead, independently.

    Requests of one beam width are one `Batch`, and one call of the engine for each step; those that
    score given targets are one `ScoringBatch`.

    Args:
        engine: runs the network.
        bos_id: the token that every hypothesis begins with.
        eos_id: the token that ends it.
        blocked_ids: tokens that no hypothesis may contain, as the unknown word.
    """

    def __init__(
        self, engine: Engine, *, bos_id: int, eos_id: int, blocked_ids: Collection[int] = ()
    ) -> None:
        self._engine = engine
        blocked = sorted(blocked_ids)
        self._make_batch = partial(Batch, bos_id=bos_id, eos_id=eos_id, blocked_ids=blocked)
        self._make_scoring = partial(ScoringBatch, bos_id=bos_id, eos_id=eos_id)
        self._batches: dict[BatchKey, _Batch] = {}

    @property
    def active_rows(self) -> int:
        """Returns the number of hypotheses that the next step extends."""
        return sum(batch.active_rows for batch in self._batches.values())

    @property
    def is_idle(self) -> bool:
        """Tells whether no request is in search."""
        return not self._batches

    def add(self, requests: Sequence[Request]) -> None:
        """Encodes `requests` as one batch. They begin at the next step."""
        if requests:
            self.join(self.encode(requests))

    def encode(self, requests: Sequence[Request]) -> Encoded:
        """Encodes the sources of one or more requests, equal ones of a batch once. Changes nothing
        here, and may run on another thread while this search steps."""
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
        """Lets requests begin at the next step. If it fails, it changes nothing."""
        batches = {key: self._batches.get(key) or self._new_batch(key) for key in encoded.slots}
        reserved = {
            key: batches[key].reserve(encoded.sources, np.array([place for place, _ in own]))
            for key, own in encoded.slots.items()
        }
        for key, own in encoded.slots.items():
            batches[key].insert(reserved[key], [each for _, each in own])
        self._batches |= batches

    def remove(self, keys: Collection[Hashable]) -> None:
        """Drops requests. Unknown keys change nothing."""
        for batch in self._batches.values():
            batch.remove(keys)
        self._drop_empty()

    def step(self) -> list[Answer]:
        """Extends every request by one token. Returns those that are done, best hypothesis
        first."""
        answers: list[Answer] = []
        for batch in self._batches.values():
            answers += batch.step()
        if answers:
            self._drop_empty()
        return answers

    def agreed(self, after: Mapping[Hashable, int]) -> dict[Hashable, tuple[int, ...]]:
        """Returns what is certain of the answers of some requests in search: the tokens on which
        all their hypotheses agree, beyond the first `after[key]`. Requests without any are left
        out."""
        found: dict[Hashable, tuple[int, ...]] = {}
        for batch in self._batches.values():
            found |= batch.agreed(after)
        return found

    def _batch_key(self, part: SearchRequest | ScoredPair) -> BatchKey:
        if isinstance(part, ScoredPair):
            return BatchKey(0)
        is_short = self._engine.has_shortlist and part.uses_shortlist
        return BatchKey(part.options.beam_size, is_short)

    def _new_batch(self, key: BatchKey) -> _Batch:
        if not key.width:
            return self._make_scoring(self._engine.new_table(1, use_shortlist=False))
        table = self._engine.new_table(key.width, use_shortlist=key.is_short)
        return self._make_batch(table, key.width)

    def _drop_empty(self) -> None:
        self._batches = {key: batch for key, batch in self._batches.items() if batch}


def _parts(request: Request) -> Sequence[SearchRequest | ScoredPair]:
    """Returns what gets slots of its own."""
    if isinstance(request, SearchRequest):
        return [request]
    return [ScoredPair(request, place) for place in range(len(request.pairs))]
