"""Greedy search, beam search and sampling over any number of requests that come and go.

`Search` drives an engine: `add` lets requests join, `step` extends each of them by one token and
returns those that are done. A request gets the same answer alone or in a batch. Knows the contract
and its options; no network, no text, no clock. Every token's work is on arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from model import contract
from model.contract import Engine
from model.search.batch import Answer, Batch
from model.search.requests import SearchRequest


@dataclass(frozen=True)
class Encoded:
    """Requests whose sources were encoded."""

    requests: Sequence[SearchRequest]
    sources: contract.Encoded


class Search:
    """Decodes requests together, one token at a time. For one thread, but for `encode`.

    Beam search as in Sutskever et al. 2014: the `beam_size` likeliest continuations are kept; one
    that ends leaves the beam, which is narrower from then on. A request is done when its beam is
    empty, or when no live hypothesis can still overtake its n-th best finished one: stopping early
    changes no answer. With `beam_size=1` this is greedy search. With a `temperature`, `beam_size`
    hypotheses are sampled instead, independently.

    Requests of one beam width are one `Batch`, and one call of the engine for each step.

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
        self._batches: dict[tuple[int, bool], Batch] = {}  # by width, and whether with shortlists

    @property
    def active_rows(self) -> int:
        """Returns the number of hypotheses that the next step extends."""
        return sum(batch.active_rows for batch in self._batches.values())

    @property
    def is_idle(self) -> bool:
        """Tells whether no request is in search."""
        return not self._batches

    def add(self, requests: Sequence[SearchRequest]) -> None:
        """Encodes `requests` as one batch. They begin at the next step."""
        if requests:
            self.join(self.encode(requests))

    def encode(self, requests: Sequence[SearchRequest]) -> Encoded:
        """Encodes the sources of one or more requests, sorted by length. Changes nothing here, and
        may run on another thread while this search steps."""
        requests = sorted(requests, key=lambda request: len(request.source_ids))
        lengths = np.array([len(request.source_ids) for request in requests], np.int32)
        source_ids = np.zeros((len(requests), lengths.max()), np.int32)
        for row, request in enumerate(requests):
            source_ids[row, : lengths[row]] = request.source_ids
        use_shortlist = np.array([request.uses_shortlist for request in requests], bool)
        return Encoded(requests, self._engine.encode(source_ids, lengths, use_shortlist))

    def join(self, encoded: Encoded) -> None:
        """Lets requests begin at the next step. If it fails, it changes nothing."""
        places: dict[tuple[int, bool], list[int]] = {}
        for place, request in enumerate(encoded.requests):
            places.setdefault(self._batch_key(request), []).append(place)
        batches = {key: self._batches.get(key) or self._new_batch(*key) for key in places}
        slots = {
            key: batches[key].reserve(encoded.sources, np.array(own, np.intp))
            for key, own in places.items()
        }
        for key, own in places.items():
            batches[key].insert(slots[key], [encoded.requests[place] for place in own])
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
        found = {}
        for batch in self._batches.values():
            for place, key in batch.keys():
                known = after.get(key)
                if known is not None and (tokens := batch.agreed(place, known)):
                    found[key] = tokens
        return found

    def _batch_key(self, request: SearchRequest) -> tuple[int, bool]:
        is_short = self._engine.has_shortlist and request.uses_shortlist
        return request.options.beam_size, is_short

    def _new_batch(self, width: int, is_short: bool) -> Batch:
        table = self._engine.new_table(width, use_shortlist=is_short)
        return self._make_batch(table, width)

    def _drop_empty(self) -> None:
        self._batches = {key: batch for key, batch in self._batches.items() if batch}
