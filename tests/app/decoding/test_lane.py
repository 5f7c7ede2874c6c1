"""The queue of a lane."""

from __future__ import annotations

from app.decoding.lane import Job, RequestQueue
from model.config import SearchOptions
from model.search.requests import SearchRequest


def waiting(rows: int) -> Job:
    """A request that needs this many rows."""
    return Job(None, SearchRequest(None, [5, 3], SearchOptions(beam_size=rows)), is_streamed=False)


def queue_of(*requests: Job, max_overtakes: int = 2) -> RequestQueue:
    queue = RequestQueue(max_overtakes)
    for request in requests:
        queue.add(request)
    return queue


def test_who_came_first_is_admitted_first() -> None:
    first, second, third = waiting(1), waiting(2), waiting(1)
    queue = queue_of(first, second, third)
    assert queue.admit(3) == [first, second]
    assert queue.admit(0) == []
    assert queue.admit(3) == [third]
    assert len(queue) == 0


def test_a_wide_one_is_overtaken_while_it_has_patience_and_no_longer() -> None:
    wide = waiting(4)
    queue = queue_of(wide, max_overtakes=2)
    for _ in range(2):
        queue.add(narrow := waiting(1))
        assert queue.admit(3) == [narrow]
    queue.add(late := waiting(1))
    assert queue.admit(3) == []
    assert queue.admit(3) == []
    assert queue.admit(4) == [wide]
    assert queue.admit(1) == [late]


def test_the_next_wide_one_begins_to_wait_when_it_is_first() -> None:
    wide, next_wide = waiting(4), waiting(4)
    queue = queue_of(wide, next_wide, max_overtakes=2)
    for _ in range(3):
        assert queue.admit(3) == []
    assert queue.admit(4) == [wide]
    queue.add(narrow := waiting(1))
    assert queue.admit(3) == [narrow]
    queue.add(waiting(1))
    assert queue.admit(3) == []


def test_who_has_gone_is_dropped_and_keeps_no_rows() -> None:
    wide, narrow, gone = waiting(4), waiting(1), waiting(1)
    queue = queue_of(wide, max_overtakes=0)
    assert queue.admit(3) == queue.admit(3) == []
    wide.is_cancelled = gone.is_cancelled = True
    queue.add(gone)
    queue.add(narrow)
    assert queue.admit(3) == [narrow]
    assert len(queue) == 0


def test_nobody_starves_whatever_comes() -> None:
    """Narrow requests come for ever, as many as there are rows; each takes three steps."""
    wide = waiting(4)
    queue = queue_of(wide, max_overtakes=16)
    running: list[tuple[int, Job]] = []
    for step in range(100):
        running = [(end, each) for end, each in running if end > step]
        for _ in range(4):
            queue.add(waiting(1))
        free_rows = 4 - sum(each.rows for _, each in running)
        chosen = queue.admit(free_rows)
        assert sum(each.rows for each in chosen) <= free_rows
        running += [(step + 1 + place % 3, each) for place, each in enumerate(chosen)]
        if wide in chosen:
            break
    assert step <= 16 + 3
