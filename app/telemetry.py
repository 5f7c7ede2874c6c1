"""Middleware that counts and logs each request, and gives it an id.

Nothing of a message, a reply or a query is counted or logged. Pure ASGI.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import REQUEST_ID
from app.metrics import Metrics
from app.middleware import CLIENT_CLOSED_REQUEST

access_logger = logging.getLogger("app.access")

#: Ids of clients that are taken over. Others could break a line of the log.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

#: Headers of every answer: browsers guess no types, tell no address, and show no page in a frame.
_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)

_USAGE = "seq2seq.usage"


@dataclass(frozen=True)
class RequestUsage:
    """What a request has used.

    Attributes:
        model: name of the model.
        prompt_tokens: that it read.
        completion_tokens: of all candidates.
        is_truncated: whether it did not read the beginning.
    """

    model: str
    prompt_tokens: int
    completion_tokens: int
    is_truncated: bool


def record_usage(scope: Scope, usage: RequestUsage) -> None:
    """Notes what a request has used, for metrics and the log."""
    scope[_USAGE] = usage


class Telemetry:
    """Counts and logs requests. The outermost middleware, so that it sees every answer.

    Args:
        app: answers.
        metrics: counts.
        logs_access: whether each request gets a line in the log.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, logs_access: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._logs_access = logs_access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        REQUEST_ID.set(request_id)
        headers = ((b"x-request-id", request_id.encode()), *_SAFE_HEADERS)
        status, first_token = CLIENT_CLOSED_REQUEST, None

        async def observed_send(message: Message) -> None:
            nonlocal status, first_token
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *headers]
            elif first_token is None and message.get("more_body"):
                first_token = time.perf_counter() - started
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        finally:
            self._observe(scope, status, time.perf_counter() - started, first_token)

    def _observe(
        self, scope: Scope, status: int, seconds: float, first_token: float | None
    ) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.count(scope["method"], route, status, seconds, first_token)
        usage: RequestUsage | None = scope.get(_USAGE)
        if usage is not None:
            self._metrics.count_tokens(
                usage.model,
                usage.prompt_tokens,
                usage.completion_tokens,
                is_truncated=usage.is_truncated,
            )
        if self._logs_access:
            _log_access(scope, status, seconds, usage)


def _log_access(scope: Scope, status: int, seconds: float, usage: RequestUsage | None) -> None:
    fields: dict[str, Any] = {
        "client": (scope.get("client") or ("-",))[0],
        "method": scope["method"],
        # As it was sent, so that it is one line; without the query, which may be a message.
        "path": scope["raw_path"].decode("ascii", "backslashreplace"),
        "status": status,
        "duration_ms": round(seconds * 1000, 3),
    }
    if usage is not None:
        fields["model"] = usage.model
        fields["prompt_tokens"] = usage.prompt_tokens
        fields["completion_tokens"] = usage.completion_tokens
    access_logger.info(
        '%s "%s %s" %d %.1f ms', *list(fields.values())[:5], extra={"fields": fields}
    )


def _request_id(scope: Scope) -> str:
    """Returns the id that the client gives, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return secrets.token_hex(8)
