"""Middleware that counts and logs each request and assigns it an id.

The text of messages, replies and queries is never logged. Pure ASGI.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import REQUEST_ID, LogFormat
from app.metrics import Metrics
from app.middleware import CLIENT_CLOSED_REQUEST

logger = logging.getLogger(__name__)

#: Request ids that are accepted from clients. Others could break a log line.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

#: Headers of every response: browsers must not guess its type, send a referrer, or show it in a
#: frame.
_SAFE_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)

_USAGE = "seq2seq.usage"


@dataclass(frozen=True)
class RequestUsage:
    """Token usage of a request.

    Attributes:
        model: name of the model.
        prompt_tokens: tokens that the model read.
        completion_tokens: tokens of all candidates.
        is_truncated: whether the model did not read the beginning.
    """

    model: str
    prompt_tokens: int
    completion_tokens: int
    is_truncated: bool


def record_usage(
    scope: Scope, model: str, prompt_tokens: int, completion_tokens: int, *, is_truncated: bool
) -> None:
    """Records the token usage of a request, for metrics and the log; see `RequestUsage`."""
    usage = RequestUsage(model, prompt_tokens, completion_tokens, is_truncated)
    scope.setdefault(_USAGE, []).append(usage)


class Telemetry:
    """Counts and logs requests. It is the outermost middleware, so that it sees every response.

    Args:
        app: the application.
        metrics: receives the counts.
        access_log: writes a line per request; None: no log.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, access_log: AccessLog | None) -> None:
        self._app = app
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        REQUEST_ID.set(request_id)
        headers = ((b"x-request-id", request_id.encode()), *_SAFE_HEADERS)
        status, first_token, is_stream = CLIENT_CLOSED_REQUEST, None, False

        async def observed_send(message: Message) -> None:
            nonlocal status, first_token, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                kind = dict(message["headers"]).get(b"content-type", b"")
                is_stream = kind.startswith(b"text/event-stream")
                message["headers"] = [*message["headers"], *headers]
            elif first_token is None and is_stream:
                first_token = time.perf_counter() - started
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        finally:
            self._observe(scope, request_id, status, time.perf_counter() - started, first_token)

    def _observe(
        self,
        scope: Scope,
        request_id: str,
        status: int,
        seconds: float,
        first_token: float | None,
    ) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.count(scope["method"], route, status, seconds, first_token)
        usages: list[RequestUsage] = scope.get(_USAGE, [])
        for usage in usages:
            self._metrics.count_tokens(
                usage.model,
                usage.prompt_tokens,
                usage.completion_tokens,
                is_truncated=usage.is_truncated,
            )
        if self._access_log is not None:
            fields = _fields(scope, request_id, status, seconds)
            if usages:
                fields["model"] = usages[0].model
                fields["prompt_tokens"] = sum(usage.prompt_tokens for usage in usages)
                fields["completion_tokens"] = sum(usage.completion_tokens for usage in usages)
            self._access_log.write(fields)


class AccessLog:
    """Access log on standard output.

    It does not use `logging`, which takes 0.07 ms per line, as long as ten other steps of a request
    together. Lines from one iteration of the event loop are written together.

    Args:
        log_format: format of the lines.
    """

    def __init__(self, log_format: LogFormat) -> None:
        self._format = _as_json if log_format == "json" else _as_text
        self._lines: list[str] = []
        self._has_failed = False

    def write(self, fields: dict[str, Any]) -> None:
        """Schedules a line for writing."""
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(self._format(fields))

    def _flush(self) -> None:
        lines, self._lines = self._lines, []
        try:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
            self._has_failed = False
        except OSError as error:  # a full disk or a closed pipe
            if not self._has_failed:
                logger.error("requests are not logged: cannot write to standard output (%s)", error)
            self._has_failed = True


def _fields(scope: Scope, request_id: str, status: int, seconds: float) -> dict[str, Any]:
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": "info",
        "logger": "app.access",
        "message": "request",
        "request_id": request_id,
        "client": (scope.get("client") or ("-",))[0],
        "method": scope["method"],
        # The raw path, so that it is one line, without the query, which may contain a message.
        "path": scope["raw_path"].decode("ascii", "backslashreplace"),
        "status": status,
        "duration_ms": round(seconds * 1000, 3),
    }


def _as_json(fields: dict[str, Any]) -> str:
    return f"{to_json(fields).decode()}\n"


def _as_text(fields: dict[str, Any]) -> str:
    used = ""
    if "model" in fields:
        used = f" {fields['prompt_tokens']}+{fields['completion_tokens']} tokens"
    return (
        f"{fields['time']} {fields['client']} {fields['method']} {fields['path']} "
        f"{fields['status']} {fields['duration_ms']:.1f} ms{used} [{fields['request_id']}]\n"
    )


def _request_id(scope: Scope) -> str:
    """Returns the id sent by the client, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return secrets.token_hex(8)
