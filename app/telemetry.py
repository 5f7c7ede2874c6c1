"""Middleware that counts and logs each request and assigns it an id; metrics and access log.

The text of messages, replies and queries is never logged. Names and units of metrics are as
recommended by Prometheus; their labels are model names, routes, methods and statuses: nothing that
a client can choose freely. Pure ASGI.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from pydantic_core import to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.decoding.client import WorkerClient
from app.decoding.registry import ModelRegistry
from app.logs import REQUEST_ID, LogFormat
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

#: Buckets from a cached page to a request that times out.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})

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
    """Counts and logs requests, the latter unless `access_log` is None. It is the outermost
    middleware, so that it sees every response."""

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
            self._metrics.count_tokens(usage)
        if self._access_log is not None:
            fields = _fields(scope, request_id, status, seconds)
            if usages:
                fields["model"] = usages[0].model
                fields["prompt_tokens"] = sum(usage.prompt_tokens for usage in usages)
                fields["completion_tokens"] = sum(usage.completion_tokens for usage in usages)
            self._access_log.write(fields)


class Metrics:
    """The metrics of one application.

    Args:
        models: the models whose state is read at each scrape.
    """

    def __init__(self, models: ModelRegistry) -> None:
        self.registry = CollectorRegistry()
        for collector in (GCCollector, ProcessCollector):
            collector(registry=self.registry)
        self.registry.register(_ModelCollector(models))
        self._requests = Counter(
            "seq2seq_http_requests",
            "Answered requests.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "seq2seq_http_request_duration_seconds",
            "Time from the head of a request to the end of its response.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._first_token_seconds = Histogram(
            "seq2seq_time_to_first_token_seconds",
            "Time from the head of a request to the first event of its stream.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._prompt_tokens = self._of_models("seq2seq_prompt_tokens", "Tokens read by the models.")
        self._completion_tokens = self._of_models(
            "seq2seq_completion_tokens", "Tokens of all returned candidates."
        )
        self._truncated = self._of_models(
            "seq2seq_truncated_requests", "Requests whose beginning the model did not read."
        )
        # Calling `labels` would take as long as everything else here.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._token_children: dict[str, tuple[Counter, Counter]] = {}

    def count(
        self, method: str, route: str, status: int, seconds: float, first_token: float | None
    ) -> None:
        """Counts a response of a route, the template of a path; `first_token` is the time until the
        first event of a stream, None for other responses."""
        key = method if method in _METHODS else "other", route, status
        children = self._children.get(key)
        if children is None:
            children = self._requests.labels(*key), self._seconds.labels(route)
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)
        if first_token is not None:
            self._first_token_seconds.labels(route).observe(first_token)

    def count_tokens(self, usage: RequestUsage) -> None:
        """Counts the tokens of an answered request."""
        model = usage.model
        children = self._token_children.get(model)
        if children is None:
            children = self._prompt_tokens.labels(model), self._completion_tokens.labels(model)
            self._token_children[model] = children
        children[0].inc(usage.prompt_tokens)
        children[1].inc(usage.completion_tokens)
        if usage.is_truncated:
            self._truncated.labels(model).inc()

    def _of_models(self, name: str, meaning: str) -> Counter:
        return Counter(name, meaning, ("model",), registry=self.registry)


#: Name, description and value of each metric of a worker.
_GAUGES: tuple[tuple[str, str, Callable[[WorkerClient], float]], ...] = (
    ("seq2seq_requests_waiting", "Requests waiting for rows.", lambda each: each.waiting),
    (
        "seq2seq_rows_in_use",
        "Rows reserved for the requests being decoded.",
        lambda e: e.rows_in_use,
    ),
    ("seq2seq_worker_up", "1 while the process accepts requests.", lambda each: each.is_alive),
    (
        "seq2seq_worker_memory_bytes",
        "Resident memory of the process.",
        lambda each: each.memory_bytes,
    ),
)
_COUNTERS: tuple[tuple[str, str, Callable[[WorkerClient], float]], ...] = (
    ("seq2seq_decoder_steps", "Decoder steps.", lambda each: each.steps),
    ("seq2seq_compilations", "Programs compiled while requests waited.", lambda e: e.compilations),
    ("seq2seq_worker_restarts", "Worker processes that died or hung.", lambda each: each.restarts),
    (
        "seq2seq_queue_refusals",
        "Requests refused because the queue was full.",
        lambda e: e.refusals,
    ),
)


class _ModelCollector(Collector):
    """State of the models at the time of a scrape."""

    def __init__(self, models: ModelRegistry) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        loaded = list(self._models.loaded())
        for family, rows in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
            for name, meaning, value in rows:
                metric = family(name, meaning, labels=["model"])
                for model in loaded:
                    metric.add_metric([model.config.name], value(model.client))
                yield metric
        info = InfoMetricFamily("seq2seq_model", "Models that requests may name.", labels=["model"])
        states = self._models.states()
        for config in self._models.configs():
            facts = {"task": config.task, "languages": ",".join(config.languages)}
            info.add_metric([config.name], {**facts, "state": states[config.name]})
        yield info


class AccessLog:
    """Access log on standard output.

    It does not use `logging`, which takes 0.07 ms per line, as long as ten other steps of a request
    together. Lines from one iteration of the event loop are written together."""

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
