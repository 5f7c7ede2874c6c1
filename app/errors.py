"""Errors of the server. `app.http_errors` turns them into answers; this module knows no HTTP.

Seq2SeqError
├── InputError
│   ├── InvalidField     a field of the request is out of bounds
│   └── UnknownModel     there is no model of the name that the request has
├── InvalidKey           the request has no valid key
├── Overloaded           the queue is full
├── RateLimited          a client has used what it may use for now
├── DeadlineExceeded     no answer within the time that a request has
└── Unavailable          the server stops, or its worker has died
"""

from __future__ import annotations

from typing import Self

from model.errors import InputError, Seq2SeqError


class InvalidField(InputError):
    """A field of the request has a value that this server or this model does not accept.

    Args:
        field: its path, as in `messages.2`.
        reason: what is allowed, and what was received.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field


class UnknownModel(InputError):
    """No model of this name is served.

    Args:
        name: as the request has it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"model: there is no {name!r} on this server")
        self.field = "model"


class InvalidKey(Seq2SeqError):
    """The server needs a key, and the request has no valid one."""

    def __init__(self) -> None:
        super().__init__("needs a valid key, sent as 'Authorization: Bearer KEY'")


class Overloaded(Seq2SeqError):
    """Too many requests wait already.

    Args:
        message: what is too much.
        retry_after_seconds: time until those that wait now no longer do.
    """

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RateLimited(Seq2SeqError):
    """A client has used what it may use for now.

    Args:
        retry_after_seconds: time until its request would be let in.
    """

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("you have sent as much as you may for now; try again later")
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(Seq2SeqError):
    """The answer was not ready in time."""

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Builds the error of a request that had so many seconds."""
        return cls(f"no answer within {seconds:g} seconds")


class Unavailable(Seq2SeqError):
    """The server takes no requests: it is stopping, or its worker has died."""
