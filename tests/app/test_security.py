from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from app import api_keys
from app.api_keys import ApiKeys
from app.security import KEY_IN_FIELDS, OPEN_PATHS, OPEN_PREFIXES
from app.settings import Settings
from model.errors import ConfigError
from tests.app.fakes import Serve
from tests.engines import TableEngine

KEYS = {"alice": b"sk-alice", "bob": "sk-bob\u00e9".encode()}
BEARER = {"Authorization": "Bearer sk-alice"}
HELLO = {"message": "hello"}


def write_keys(path: Path, *names: str) -> None:
    """Writes a file of keys, and moves its time on, however coarse it is."""
    sums = (f"{hashlib.sha256(KEYS[name]).hexdigest()} {name}\n" for name in names)
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text("# who may\n\n" + "".join(sums))
    os.utime(path, ns=(before + 10**9, before + 10**9))


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with Alice's key, which is looked at for each request."""
    monkeypatch.setattr(api_keys, "RELOAD_SECONDS", 0.0)
    write_keys(tmp_path / "keys", "alice")
    return tmp_path / "keys"


@pytest.fixture
def client(serve: Serve, table_engine: TableEngine, keys: Path) -> Iterator[httpx.Client]:
    """A client of a server with keys."""
    with serve(table_engine, Settings(api_keys=keys)) as client:
        yield client


def test_every_route_needs_a_key_but_those_that_are_listed(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) > 6
    for path, operations in paths.items():
        for method in operations:
            status = client.request(method, path).status_code
            is_open = path in OPEN_PATHS or path.startswith(OPEN_PREFIXES)
            assert (status == 401) == (not is_open), path
    assert client.get("/nowhere").status_code == 401


def test_the_description_says_which_paths_need_a_key(
    client: httpx.Client, serve: Serve, table_engine: TableEngine
) -> None:
    described = client.get("/openapi.json").json()
    (name,) = described["components"]["securitySchemes"]
    assert described["components"]["securitySchemes"][name] == {"type": "http", "scheme": "bearer"}
    assert described["paths"]["/reply"]["post"]["security"] == [{name: []}]
    assert described["paths"]["/health"]["get"]["security"] == []
    with serve(table_engine, Settings()) as open_client:
        described = open_client.get("/openapi.json").json()
    assert "securitySchemes" not in described["components"]
    assert "security" not in described["paths"]["/reply"]["post"]


@pytest.mark.parametrize(
    "headers",
    [
        BEARER,
        {"authorization": "bearer  sk-alice"},
        {"X-API-Key": "sk-alice"},
        {"Authorization": "Bearer of-a-proxy", "X-API-Key": "sk-alice"},
    ],
    ids=str,
)
def test_a_key_opens_the_server(client: httpx.Client, headers: dict[str, str]) -> None:
    assert client.post("/reply", json=HELLO, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "key",
    ["sk-bob", "sk-alic", "sk-alice2", "\xff", hashlib.sha256(b"sk-alice").hexdigest()],
    ids=ascii,
)
def test_another_key_does_not(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    headers = {b"Authorization": b"Bearer " + key.encode("latin-1")}
    answer = client.post("/reply", json=HELLO, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert key not in caplog.text


def test_openais_client_sends_its_key(client: httpx.Client) -> None:
    url = f"{client.base_url}/v1"
    with openai.OpenAI(base_url=url, api_key="sk-alice") as ai:
        assert ai.models.list().data
    with openai.OpenAI(base_url=url, api_key="sk-eve") as ai:
        with pytest.raises(openai.AuthenticationError) as caught:
            ai.models.list()
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize("path", sorted(KEY_IN_FIELDS))
def test_libretranslates_clients_send_the_key_as_a_field(client: httpx.Client, path: str) -> None:
    fields = {"q": "hello", "source": "en", "target": "de"}
    for key, headers, is_let_in in (
        ("sk-alice", {}, True),
        ("sk-eve", {}, False),
        ("sk-eve", BEARER, True),
    ):
        for kind in ("json", "data"):
            body: dict[str, Any] = {kind: {**fields, "api_key": key}}
            answer = client.post(path, headers=headers, **body)
            assert (answer.status_code != 401) == is_let_in
            assert is_let_in or set(answer.json()) == {"error"}
    assert client.post(path, json={**fields, "api_key": ["sk-alice"]}).status_code == 401


def test_keys_come_and_go_without_a_restart(keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = ApiKeys(keys)
    assert [found.name_of(key) for key in KEYS.values()] == ["alice", None]
    write_keys(keys, "bob")
    assert [found.name_of(key) for key in KEYS.values()] == [None, "bob"]
    keys.write_text("no key")
    assert found.name_of(KEYS["bob"]) == "bob"
    keys.unlink()
    assert found.name_of(KEYS["bob"]) == "bob"
    assert "keys:1: must be a SHA-256 hash" in caplog.text


@pytest.mark.parametrize("line", ["sk-alice alice", "a" * 64, "a" * 63 + " alice", "g" * 64 + " a"])
def test_a_file_of_anything_else_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "keys").write_text(f"# keys\n{line}\n")
    with pytest.raises(ConfigError, match="keys:2: must be a SHA-256 hash") as caught:
        ApiKeys(tmp_path / "keys")
    assert "sk-alice" not in str(caught.value)


def test_a_file_of_keys_may_come_from_windows(tmp_path: Path) -> None:
    lines = f"# keys\r\n{hashlib.sha256(b'sk-alice').hexdigest()} alice\r\n"
    (tmp_path / "keys").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert ApiKeys(tmp_path / "keys").name_of(b"sk-alice") == "alice"


def test_a_file_without_keys_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "keys").write_text("# none yet\n")
    ApiKeys(tmp_path / "keys").warn_if_empty()
    assert "keys: has no key, so every request that needs one gets 401" in caplog.text


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent: cannot be read"):
        ApiKeys(tmp_path / "absent")


def test_each_client_has_a_limit_of_its_own(
    serve: Serve, table_engine: TableEngine, keys: Path
) -> None:
    write_keys(keys, "alice", "bob")
    limits = Settings(api_keys=keys, rate_limit_per_minute=0.5, rate_limit_burst=2)
    with serve(table_engine, limits) as client:
        statuses = [client.post("/reply", json=HELLO, headers=BEARER).status_code for _ in "123"]
        assert statuses == [200, 200, 429]
        refused = client.post("/reply", json=HELLO, headers=BEARER)
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 100 < int(refused.headers["retry-after"]) <= 120
        bob = {b"X-API-Key": KEYS["bob"]}
        assert client.post("/reply", json=HELLO, headers=bob).status_code == 200
        assert client.get("/health/ready", headers=BEARER).status_code == 200


def cost_in_requests(ask: Callable[[], httpx.Response], probe: Callable[[], httpx.Response]) -> int:
    """How many plain requests a bucket of 100 lacks after `ask`."""
    assert ask().status_code == 200
    left = 0
    while probe().status_code == 200:
        left += 1
    return 100 - left


@pytest.mark.parametrize(
    ("path", "body", "least", "most"),
    [
        ("/reply", {"batch": ["hello"] * 30}, 30, 30),
        ("/reply", {**HELLO, "beam_size": 16, "max_tokens": 256}, 8, 16),
        ("/reply", {**HELLO, "stream": True}, 1, 1),
        ("/v1/completions", {"model": "tiny", "prompt": ["hello"] * 5}, 5, 5),
        ("/v1/completions", {"model": "tiny", "prompt": "hello", "logprobs": 1}, 2, 2),
    ],
    ids=str,
)
def test_what_costs_more_counts_more(
    serve: Serve,
    table_engine: TableEngine,
    path: str,
    body: dict[str, object],
    least: int,
    most: int,
) -> None:
    with serve(table_engine, Settings(rate_limit_per_minute=0.001, rate_limit_burst=100)) as client:
        cost = cost_in_requests(
            lambda: client.post(path, json=body), lambda: client.post("/reply", json=HELLO)
        )
    assert least <= cost <= most
