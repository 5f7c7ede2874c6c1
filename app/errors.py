"""Errors of the server. `app.http_errors` turns them into responses; this module knows no HTTP.

Seq2SeqError
├── InputError
│   ├── InvalidField     a field of the request has an invalid value
│   └── UnknownModel     there is no model with the requested name
├── InvalidKey           the request has no valid key
├── Overloaded           the queue is full
├── RateLimited          a client has reached its rate limit
├── DeadlineExceeded     no answer before the request's deadline
└── Unavailable          the server is stopping, or its worker has died
"""

from __future__ import annotations

import math
from typing import Self

from model.errors import InputError, Seq2SeqError


class InvalidField(InputError):
    """A field of the request has a value that this server or this model does not accept.

    Args:
        field: path of the field, as in `messages.2`.
        reason: what is allowed, and what was received.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field


class UnknownModel(InputError):
    """No model with this name is served."""

    def __init__(self, name: str) -> None:
        super().__init__(f"model: there is no model {name!r} on this server; see /v1/models")
        self.field = "model"


class InvalidKey(Seq2SeqError):
    """The server requires a key, and the request has no valid one."""

    def __init__(self) -> None:
        super().__init__("a valid key is required, sent as 'Authorization: Bearer KEY'")


class Overloaded(Seq2SeqError):
    """Too many requests are already waiting.

    Args:
        message: what there is too much of.
        retry_after_seconds: estimated time until the queue is empty.
    """

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RateLimited(Seq2SeqError):
    """A client has reached its rate limit.

    Args:
        retry_after_seconds: time until its request would be accepted.

    Attributes:
        retry_after_seconds: the same in whole seconds.
    """

    def __init__(self, retry_after_seconds: float) -> None:
        self.retry_after_seconds = math.ceil(retry_after_seconds)
        super().__init__(
            f"you have reached the rate limit; try again in {self.retry_after_seconds} s"
        )


class DeadlineExceeded(Seq2SeqError):
    """The answer was not ready in time."""

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Builds the error of a request with this timeout."""
        return cls(f"no answer within {seconds:g} seconds")


class Unavailable(Seq2SeqError):
    """The server accepts no requests: it is stopping, or its worker has died."""
