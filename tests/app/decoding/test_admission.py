from __future__ import annotations

from typing import Any

import pytest

from app.decoding.admission import MOST_PLAIN_COST, Queue, cost_of, is_costly
from model.config import SearchOptions
from model.search.requests import SearchRequest


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
    queue = Queue(4)
    queue.add("plain", 64.0)
    queue.add("costly", 2.5 * MOST_PLAIN_COST)
    assert queue.is_full
    queue.discard("plain")
    queue.discard("unknown")
    assert (queue.is_full, len(queue)) == (False, 1)
