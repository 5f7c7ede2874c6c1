from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import datetime

import pytest

from app.logs import REQUEST_ID, JsonFormatter, TextFormatter


@pytest.fixture(autouse=True)
def request_id() -> Iterator[None]:
    """An id of the request that is being answered."""
    token = REQUEST_ID.set("abc")
    yield
    REQUEST_ID.reset(token)


def record() -> logging.LogRecord:
    """An entry of the log, with an error."""
    try:
        raise ValueError("too\nlong")
    except ValueError:
        return logging.LogRecord("app", logging.ERROR, "x.py", 1, "%d\nlines", (2,), sys.exc_info())


def test_an_entry_for_programs_is_one_line_of_json() -> None:
    line = JsonFormatter().format(record())
    assert "\n" not in line
    entry = json.loads(line)
    assert datetime.fromisoformat(entry["time"]).utcoffset() is not None
    assert "ValueError: too\nlong" in entry.pop("traceback")
    del entry["time"]
    assert entry == {
        "level": "error",
        "logger": "app",
        "message": "2\nlines",
        "request_id": "abc",
    }


def test_an_entry_for_people_ends_with_the_id_of_its_request() -> None:
    entry = logging.LogRecord("app", logging.INFO, "x.py", 1, "done", (), None)
    assert TextFormatter().format(entry).endswith(" INFO app: done [abc]")
