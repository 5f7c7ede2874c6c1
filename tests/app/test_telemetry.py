from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.settings import Settings
from model.tokenizer import Tokenizer
from tests.app.fakes import REPLY, Serve
from tests.engines import TableEngine

SECRET = "hello my secret"


@pytest.fixture
def client(serve: Serve, table_engine: TableEngine) -> Iterator[httpx.Client]:
    """A client of a server whose metrics begin at zero."""
    with serve(table_engine, Settings()) as client:
        yield client


def samples(client: httpx.Client) -> dict[str, float]:
    """The metrics: `name{label="value",...}` -> value."""
    text = client.get("/metrics").text
    return {
        f"{sample.name}{json.dumps(sample.labels)}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_and_tokens_are_counted(client: httpx.Client, tokenizer: Tokenizer) -> None:
    before = samples(client)
    client.post("/reply", json={"message": SECRET})
    client.post("/reply", json={"message": " "})
    client.post("/reply", json={"message": "hello " * 600})
    client.get("/nowhere/x")
    found = {name: value - before.get(name, 0) for name, value in samples(client).items()}

    def requests(method: str, route: str, status: int) -> float:
        labels = {"method": method, "route": route, "status": str(status)}
        return found[f"seq2seq_http_requests_total{json.dumps(labels)}"]

    assert requests("POST", "/reply", 200) == 2
    assert requests("POST", "/reply", 422) == 1
    assert requests("GET", "other", 404) == 1
    assert found['seq2seq_http_request_duration_seconds_count{"route": "/reply"}'] == 3
    said = len(tokenizer.target_ids(REPLY))
    assert found['seq2seq_completion_tokens_total{"model": "tiny"}'] == 2 * said
    assert found['seq2seq_truncated_requests_total{"model": "tiny"}'] == 1
    assert found['seq2seq_decoder_steps_total{"model": "tiny"}'] >= said
    assert found['seq2seq_compilations_total{"model": "tiny"}'] == 0


def test_the_first_token_of_a_stream_is_timed(client: httpx.Client) -> None:
    pytest.importorskip("fastapi_swagger")
    client.post("/reply", json={"message": "hello"})
    client.post("/reply", json={"message": "hello", "stream": True})
    assert len(client.get("/static/swagger/swagger-ui-bundle.js").content) > 2**16  # in chunks
    name = "seq2seq_time_to_first_token_seconds_count"
    found = {each: value for each, value in samples(client).items() if each.startswith(name)}
    assert found == {f'{name}{{"route": "/reply"}}': 1}


def test_the_state_of_models_is_told(client: httpx.Client) -> None:
    found = samples(client)
    assert found['seq2seq_worker_up{"model": "tiny"}'] == 1
    assert found['seq2seq_requests_waiting{"model": "tiny"}'] == 0
    info = {"languages": "", "model": "tiny", "state": "ready", "task": "reply"}
    assert any(
        name.startswith("seq2seq_model_info") and json.loads(name[18:]) == info for name in found
    )


def test_metrics_are_told_in_either_format(client: httpx.Client) -> None:
    newer = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    assert newer.text.endswith("# EOF\n")
    assert client.get("/metrics").headers["content-type"].startswith("text/plain")


def test_every_answer_has_an_id_and_safe_headers(client: httpx.Client) -> None:
    for answer in (
        client.get("/health/live"),
        client.get("/nowhere"),
        client.post("/reply", json={"message": "hello"}),
        client.post("/reply", content=b" " * 100_000),
    ):
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [("abc-1.2_3", True), ("a b", False), ("x" * 65, False), ("a\x1b", False)],
)
def test_the_id_of_a_client_is_taken_over_if_it_is_harmless(
    client: httpx.Client, given: str, is_taken: bool
) -> None:
    answer = client.get("/health/live", headers={b"x-request-id": given.encode()})
    assert (answer.headers.get("x-request-id") == given) == is_taken


def test_a_request_gets_a_line_without_its_text(
    serve: Serve,
    table_engine: TableEngine,
    tokenizer: Tokenizer,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with serve(table_engine, Settings(log_format="json")) as client:
        answer = client.post(f"/reply?q={SECRET}", json={"message": SECRET})
        client.get("/health/live")
    text = capfd.readouterr().out
    first, second = map(json.loads, text.splitlines())
    assert (first["method"], first["path"], first["status"]) == ("POST", "/reply", 200)
    assert (first["model"], first["client"]) == ("tiny", "127.0.0.1")
    assert first["request_id"] == answer.headers["x-request-id"]
    assert first["prompt_tokens"] == len(tokenizer.source_ids(SECRET))
    assert first["completion_tokens"] == len(tokenizer.target_ids(REPLY))
    assert first["duration_ms"] > 0
    assert second["path"] == "/health/live" and "model" not in second
    assert "secret" not in text


def test_a_line_for_people_is_short(
    serve: Serve, table_engine: TableEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    with serve(table_engine) as client:
        client.post("/reply", json={"message": "hello"}, headers={"X-Request-ID": "abc"})
        client.get("/%0Aevil%ff")
    first, second = capfd.readouterr().out.splitlines()
    assert re.fullmatch(r"\S+ 127.0.0.1 POST /reply 200 \d+\.\d ms \d+\+\d+ tokens \[abc\]", first)
    assert " GET /%0Aevil%ff 404 " in second


def test_a_full_disk_costs_only_the_lines(
    serve: Serve,
    table_engine: TableEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = io.TextIOWrapper(open("/dev/full", "wb", buffering=0), write_through=True)
    with disk, serve(table_engine) as client:
        monkeypatch.setattr(sys, "stdout", disk)
        for _ in range(3):
            assert client.post("/reply", json={"message": "hello"}).status_code == 200
        monkeypatch.undo()
    (record,) = caplog.records
    assert "requests are not logged" in record.getMessage()


def test_lines_about_requests_can_be_turned_off(
    serve: Serve, table_engine: TableEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    with serve(table_engine, Settings(access_log=False)) as client:
        client.post("/reply", json={"message": "hello"})
    assert capfd.readouterr().out == ""
