"""Metrics of the server, with names and units as recommended by Prometheus.

Labels are model names, routes, methods and statuses: nothing that a client can choose freely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.decoding.client import WorkerClient
from app.decoding.registry import ModelRegistry

#: Buckets from a cached page to a request that times out.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


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
        """Counts a response.

        Args:
            method: HTTP method of the request.
            route: template of the path.
            status: status of the response.
            seconds: duration.
            first_token: seconds until the first event of a stream; None for other responses.
        """
        key = method if method in _METHODS else "other", route, status
        children = self._children.get(key)
        if children is None:
            children = self._requests.labels(*key), self._seconds.labels(route)
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)
        if first_token is not None:
            self._first_token_seconds.labels(route).observe(first_token)

    def count_tokens(self, model: str, prompt: int, completion: int, *, is_truncated: bool) -> None:
        """Counts the tokens of an answered request."""
        children = self._token_children.get(model)
        if children is None:
            children = self._prompt_tokens.labels(model), self._completion_tokens.labels(model)
            self._token_children[model] = children
        children[0].inc(prompt)
        children[1].inc(completion)
        if is_truncated:
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
        for name, meaning, value in _GAUGES:
            gauge = GaugeMetricFamily(name, meaning, labels=["model"])
            for model in loaded:
                gauge.add_metric([model.config.name], value(model.client))
            yield gauge
        for name, meaning, value in _COUNTERS:
            counter = CounterMetricFamily(name, meaning, labels=["model"])
            for model in loaded:
                counter.add_metric([model.config.name], value(model.client))
            yield counter
        info = InfoMetricFamily("seq2seq_model", "Models that requests may name.", labels=["model"])
        states = self._models.states()
        for config in self._models.configs():
            facts = {"task": config.task, "languages": ",".join(config.languages)}
            info.add_metric([config.name], {**facts, "state": states[config.name]})
        yield info
