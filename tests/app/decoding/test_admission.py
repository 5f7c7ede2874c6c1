from __future__ import annotations

from typing import Any

import pytest

from app.decoding.admission import (
    MAX_PLAIN_COST,
    CostQueue,
    cost_of,
    is_costly,
)
from model.config import SearchOptions
from model.search.requests import ScoringRequest, SearchRequest


def request_of(**options: Any) -> SearchRequest:
    others = {name: options.pop(name) for name in ("required", "prefix_ids") if name in options}
    return SearchRequest(None, [5, 3], SearchOptions(**options), **others)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beam_size": 4, "n_best": 4, "length_penalty": 1.0},
        {"max_tokens": 256, "no_repeat_ngram": 3},
        {"beam_size": 4, "n_best": 4, "temperature": 1.0, "top_k": 50},
        {"prefix_ids": list(range(5, 35))},
    ],
)
def test_what_most_callers_ask_is_plain(options: dict[str, Any]) -> None:
    assert not is_costly(request_of(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"beam_size": 16, "max_tokens": 256},
        {"beam_size": 4, "temperature": 1.0, "top_k": 0},
        {"beam_size": 4, "required": [[7]]},
        {"prefix_ids": list(range(5, 60)), "max_tokens": 256},
    ],
)
def test_what_takes_long_is_costly(options: dict[str, Any]) -> None:
    assert is_costly(request_of(**options))


def test_cost_grows_with_rows_tokens_and_what_is_told() -> None:
    plain = cost_of(request_of(beam_size=2, temperature=1.0, top_k=50))
    for more in ({"beam_size": 3}, {"max_tokens": 65}, {"top_k": 51}, {"top_k": 0}):
        options = {"beam_size": 2, "temperature": 1.0, "top_k": 50, **more}
        assert cost_of(request_of(**options)) > plain


def test_a_queue_is_full_by_cost() -> None:
    queue = CostQueue(4)
    queue.add("plain", 64.0, now=0.0)
    queue.add("costly", 2.5 * MAX_PLAIN_COST, now=0.0)
    assert queue.is_full
    queue.discard("plain")
    queue.discard("unknown")
    assert (queue.is_full, len(queue)) == (False, 1)


def queue_of(count: int, *, since: float) -> CostQueue:
    queue = CostQueue(1000)
    for key in range(count):
        queue.add(key, 64.0, since)
    return queue


def test_the_wait_for_a_queue_follows_from_what_left_it() -> None:
    queue = queue_of(140, since=10.0)
    assert queue.estimate_seconds() == 0.0
    for key in range(40):  # 20 a second
        queue.admit(key, 10.0 + (key + 1) / 20)
    queue.admit("unknown", 12.0)
    assert queue.estimate_seconds() == pytest.approx(5.0)


def test_time_without_a_queue_does_not_count() -> None:
    queue = queue_of(1, since=0.0)
    queue.admit(0, 0.1)
    for key in range(20):
        queue.add(key, 64.0, 100.0)
    for key in range(10):
        queue.admit(key, 100.0 + (key + 1) / 10)
    assert queue.estimate_seconds() == pytest.approx(1.0)


def test_scores_cost_their_tokens() -> None:
    assert cost_of(ScoringRequest(None, [((5, 3), (7, 8, 9)), ((3,), ())])) == 5.0
    assert is_costly(ScoringRequest(None, [((5, 3), (7,) * 100)] * 8))
