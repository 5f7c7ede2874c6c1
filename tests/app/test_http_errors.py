from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException

from app.errors import DeadlineExceeded, InvalidField, Overloaded, RateLimited, Unavailable
from app.http_errors import BodyTooLarge, to_fault, to_response
from model.errors import ConfigError, EngineError, InputError


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InputError("no text"), 422, "invalid_input"),
        (InvalidField("n_best", "too many"), 422, "invalid_input"),
        (BodyTooLarge(10), 413, "body_too_large"),
        (Overloaded("full"), 503, "overloaded"),
        (Unavailable("stopping"), 503, "unavailable"),
        (DeadlineExceeded("late"), 504, "deadline_exceeded"),
        (EngineError("broken"), 500, "engine_failed"),
        (HTTPException(404), 404, "not_found"),
    ],
)
def test_an_errors_class_decides_its_status(error: Exception, status: int, code: str) -> None:
    fault = to_fault(error)
    assert (fault.status, fault.code) == (status, code)


@pytest.mark.parametrize("error", [KeyError("secret"), ConfigError("secret")])
def test_an_unexpected_error_tells_nothing(error: Exception) -> None:
    fault = to_fault(error)
    assert (fault.status, fault.code) == (500, "internal_error")
    assert "secret" not in fault.message


@pytest.mark.parametrize("error", [Overloaded("full"), Unavailable("stopping")])
def test_who_is_turned_away_is_told_when_to_come_back(error: Exception) -> None:
    assert to_response(to_fault(error)).headers["retry-after"] == "1"


def test_headers_of_http_errors_are_kept() -> None:
    fault = to_fault(HTTPException(405, headers={"Allow": "POST"}))
    assert to_response(fault).headers["allow"] == "POST"


def test_a_message_with_lone_surrogates_can_be_sent() -> None:
    body = to_response(to_fault(InputError("a\ud800b\x00c"))).body
    assert "a\ufffdb\ufffdc" in bytes(body).decode()


def test_a_long_message_is_cut() -> None:
    assert len(to_fault(InputError("x" * 100_000)).message) < 600


@pytest.mark.parametrize(("seconds", "told"), [(0.0, "1"), (4.2, "5"), (3600.0, "60")])
def test_a_refused_client_is_told_when_to_come_back(seconds: float, told: str) -> None:
    fault = to_fault(Overloaded("too many", retry_after_seconds=seconds))
    assert fault.headers == {"Retry-After": told}


def test_a_client_over_its_rate_limit_is_told_how_long_to_wait() -> None:
    fault = to_fault(RateLimited(119.5))
    assert fault.headers == {"Retry-After": "120"}
    assert fault.message.endswith("try again in 120 s")
