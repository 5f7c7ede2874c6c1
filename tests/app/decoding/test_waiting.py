from __future__ import annotations

from dataclasses import dataclass

from app.decoding.waiting import Line


@dataclass(eq=False)
class Request:
    rows: int
    is_abandoned: bool = False


def line_of(*requests: Request, patience: int = 2) -> Line[Request]:
    line: Line[Request] = Line(patience)
    for request in requests:
        line.add(request)
    return line


def test_who_came_first_is_next() -> None:
    first, second, third = Request(1), Request(2), Request(1)
    line = line_of(first, second, third)
    assert line.next(3) == [first, second]
    assert line.next(0) == []
    assert line.next(3) == [third]
    assert len(line) == 0


def test_a_wide_one_is_overtaken_while_it_has_patience_and_no_longer() -> None:
    wide = Request(4)
    line = line_of(wide, patience=2)
    for _ in range(2):
        line.add(narrow := Request(1))
        assert line.next(3) == [narrow]
    line.add(late := Request(1))
    assert line.next(3) == []
    assert line.next(3) == []
    assert line.next(4) == [wide]
    assert line.next(1) == [late]


def test_the_next_wide_one_begins_to_wait_when_it_is_first() -> None:
    wide, next_wide = Request(4), Request(4)
    line = line_of(wide, next_wide, patience=2)
    for _ in range(3):
        assert line.next(3) == []
    assert line.next(4) == [wide]
    line.add(narrow := Request(1))
    assert line.next(3) == [narrow]
    line.add(Request(1))
    assert line.next(3) == []


def test_who_has_gone_is_dropped_and_keeps_no_rows() -> None:
    wide, narrow, gone = Request(4), Request(1), Request(1)
    line = line_of(wide, patience=0)
    assert line.next(3) == line.next(3) == []
    wide.is_abandoned = gone.is_abandoned = True
    line.add(gone)
    line.add(narrow)
    assert line.next(3) == [narrow]
    assert len(line) == 0


def test_nobody_starves_whatever_comes() -> None:
    """Narrow requests come for ever, as many as there are rows; each takes three steps."""
    wide = Request(4)
    line = line_of(wide, patience=16)
    running: list[tuple[int, Request]] = []
    for step in range(100):
        running = [(end, each) for end, each in running if end > step]
        for _ in range(4):
            line.add(Request(1))
        free_rows = 4 - sum(each.rows for _, each in running)
        chosen = line.next(free_rows)
        assert sum(each.rows for each in chosen) <= free_rows
        running += [(step + 1 + place % 3, each) for place, each in enumerate(chosen)]
        if wide in chosen:
            break
    assert step <= 16 + 3
