from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
from fastapi import Request, Response
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.main import create_app
from app.settings import Settings
from model.contract import Engine
from model.errors import FolderError
from model.generator import Generator
from tests.app.fakes import REPLY, Serve, loaded, serving
from tests.conftest import PATIENCE_SECONDS, wait_until
from tests.engines import TableEngine


def test_the_front_door_is_the_page_and_leads_to_the_docs(client: httpx.Client) -> None:
    assert 'href="docs"' in client.get("/").text
    assert "swagger" in client.get("/docs").text


def test_the_description_shows_examples_and_errors(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/reply"]["post"]
    content = operation["requestBody"]["content"]["application/json"]
    assert set(content["examples"]) == {"message", "dialogue", "batch", "candidates", "draws"}
    assert {"200", "413", "422", "503", "504"} <= set(operation["responses"])
    schema = operation["responses"]["422"]["content"]["application/json"]["schema"]
    assert schema["$ref"].endswith("/ErrorAnswer")


def test_parts_of_the_description_have_names_without_a_module(client: httpx.Client) -> None:
    names = client.get("/openapi.json").json()["components"]["schemas"]
    assert "Usage" in names and not [name for name in names if "__" in name]


def test_the_description_has_no_errors_of_another_shape(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in description["components"]["schemas"]
    paths = description["paths"]
    assert "422" not in paths["/v1/chat/completions"]["post"]["responses"]
    file = paths["/download_file/{key}"]["get"]["responses"]["200"]
    assert [*file["content"]] == ["application/octet-stream"]


def test_examples_of_the_description_are_answered(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses"):
        body = description["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        schema = description["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
        [example] = schema["examples"]
        assert client.post(path, json={**example, "model": "tiny"}).status_code == 200, path


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "reason"),
    [
        ("POST", "/chat/completions", 404, "not_found", "no such path on this server"),
        ("GET", "/reply", 405, "method_not_allowed", "does not accept this method"),
        ("GET", "/static/nothing.js", 404, "not_found", "no such path on this server"),
    ],
)
def test_errors_of_routing_say_where_to_look(
    client: httpx.Client, method: str, path: str, status: int, code: str, reason: str
) -> None:
    answer = client.request(method, path)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert reason in error["message"] and error["message"].endswith("see /docs")


def test_every_route_passes_the_middleware_of_the_application(
    make_generator: Callable[[Engine], Generator], table_engine: TableEngine
) -> None:
    app = create_app(Settings(), load=partial(loaded, make_generator(table_engine)))
    seen: list[str] = []

    class Watch:
        def __init__(self, inner: ASGIApp) -> None:
            self.inner = inner

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                seen.append(scope["path"])
            await self.inner(scope, receive, send)

    app.add_middleware(Watch)

    @app.middleware("http")
    async def authenticate(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        if request.headers.get("authorization") != "a key":
            return PlainTextResponse("no key", 401)
        return await call_next(request)

    with serving(app) as client:
        for method, path in (("GET", "/health/live"), ("GET", "/docs"), ("POST", "/reply")):
            answer = client.request(method, path, json={"message": "hello"})
            assert answer.status_code == 401, path
        headers = {"authorization": "a key"}
        answer = client.post("/reply", json={"message": "hello"}, headers=headers)
        assert (answer.status_code, answer.json()["reply"]) == (200, REPLY)
        body = {"message": "hello", "stream": True}
        assert "event: answer" in client.post("/reply", json=body, headers=headers).text
    assert seen == ["/reply"] * 2  # the others went no further


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/health",
        "/health/ready",
        "/languages",
        "/metrics",
        "/v1/models",
        "/static/page.js",
    ],
)
def test_what_answers_get_answers_head(client: httpx.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == client.get(path).headers["content-type"]


def test_what_does_not_answer_get_does_not_answer_head(client: httpx.Client) -> None:
    assert [client.head(path).status_code for path in ("/reply", "/nowhere")] == [405, 404]
    assert client.get("/health/live").status_code == 200  # on the same connection


def test_no_redirect_names_the_host_that_a_client_has_sent(client: httpx.Client) -> None:
    headers = {"Host": "evil.example"}
    answer = client.post("/reply/", json={"message": "hello"}, headers=headers)
    assert (answer.status_code, "evil.example" in str(answer.headers)) == (404, False)


def test_pages_of_other_origins_are_kept_out_unless_they_are_set(
    serve: Serve, table_engine: TableEngine
) -> None:
    origin = {"Origin": "https://a.example"}
    asks = {**origin, "Access-Control-Request-Method": "POST"}
    with serve(table_engine) as client:
        answer = client.post("/reply", json={"message": "hello"}, headers=origin)
        assert "access-control-allow-origin" not in answer.headers
    openai_headers = {"Access-Control-Request-Headers": "authorization,x-stainless-os"}
    settings = Settings(cors_origins="https://b.example, https://a.example")
    with serve(table_engine, settings) as client:
        for answer in (
            client.options("/reply", headers=asks),
            client.options("/reply", headers={**asks, **openai_headers}),
            client.post("/reply", json={"message": "hello"}, headers=origin),
            client.post("/reply", json={"message": " "}, headers=origin),
        ):
            assert answer.headers["access-control-allow-origin"] == "https://a.example"
        others = {**asks, "Origin": "https://c.example"}
        assert client.options("/reply", headers=others).status_code == 400


def test_a_server_under_a_path_names_it(serve: Serve, table_engine: TableEngine) -> None:
    with serve(table_engine, Settings(root_path="/chat")) as client:
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/chat"}]
        for page in ("/", "/docs"):  # links are relative
            assert not re.search(r'(src|href)="/', client.get(page).text)
        assert client.post("/reply", json={"message": "hello"}).status_code == 200
        wrong = client.post("/v1/completions", json={}).json()["error"]
        assert wrong["param"] == "model"


def refusal(settings: dict[str, str]) -> str:
    """What the program prints when it does not start, which is no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "app"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_file_of_keys_that_is_wrong_stops_the_program(
    exported_folder: Path, tmp_path: Path
) -> None:
    settings = {"SEQ2SEQ_MODEL": str(exported_folder), "SEQ2SEQ_API_KEYS": str(tmp_path / "absent")}
    assert "absent: cannot be read" in refusal(settings)


def test_an_application_does_not_start_without_its_model(tmp_path: Path) -> None:
    app = create_app(Settings(model=tmp_path / "absent"))

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(FolderError, match="absent"):
        asyncio.run(start())


def test_an_absent_folder_stops_the_program_with_one_sentence(tmp_path: Path) -> None:
    told = refusal({"SEQ2SEQ_MODEL": str(tmp_path / "absent")})
    assert len(told.splitlines()) == 1
    assert "absent: no such model folder" in told


@pytest.fixture
def server(exported_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A server in a process of its own."""
    with running_server(exported_folder) as process:
        yield process


@contextmanager
def running_server(folder: Path, **others: str) -> Iterator[subprocess.Popen[str]]:
    """A server in a process of its own, ready, on the port that its `args` are."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "SEQ2SEQ_MODEL": str(folder),
        "SEQ2SEQ_PORT": str(port),
        "SEQ2SEQ_WORKER_TIMEOUT_SECONDS": "3600",
        **others,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    while "Uvicorn running" not in process.stdout.readline():
        assert process.poll() is None
    process.args = str(port)
    with process:
        try:
            yield process
        finally:
            process.terminate()


def hang(server: subprocess.Popen[str]) -> socket.socket:
    """A connection whose request is not answered, as the worker is stopped."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGSTOP)
    port = int(str(server.args))
    connection = socket.create_connection(("127.0.0.1", port))
    body = b'{"message":"hello"}'
    head = b"POST /reply HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    ready = f"http://127.0.0.1:{port}/health/ready"
    wait_until(lambda: httpx.get(ready, timeout=PATIENCE_SECONDS).json()["waiting"] == 1)
    return connection


def test_a_second_interrupt_ends_the_server_quietly(server: subprocess.Popen[str]) -> None:
    with hang(server):
        server.send_signal(signal.SIGINT)
        assert server.stdout is not None
        while "Waiting for connections to close" not in server.stdout.readline():
            assert server.poll() is None
        server.send_signal(signal.SIGINT)
        rest = server.stdout.read()
        assert server.wait() == 130
    assert "Traceback" not in rest and " 500" not in rest


def test_a_worker_that_hangs_does_not_keep_the_server_from_stopping(
    server: subprocess.Popen[str],
) -> None:
    with hang(server) as connection:
        server.send_signal(signal.SIGTERM)
        answer = connection.makefile("rb").read()
        assert server.wait() == 0
    assert answer.startswith(b"HTTP/1.1 503") and b"the server is stopping" in answer


def test_a_server_that_drains_takes_requests_but_is_not_ready(exported_folder: Path) -> None:
    with running_server(exported_folder, SEQ2SEQ_DRAIN_SECONDS="3600") as server:
        url = f"http://127.0.0.1:{int(str(server.args))}"
        with httpx.Client(base_url=url, timeout=PATIENCE_SECONDS) as client:
            wait_until(lambda: client.get("/health/ready").status_code == 200)
            server.send_signal(signal.SIGTERM)
            wait_until(lambda: client.get("/health/ready").status_code == 503)
            assert client.get("/health/live").status_code == 200
            assert client.post("/reply", json={"message": "hello"}).status_code == 200
        assert httpx.post(f"{url}/reply", json={"message": "hello"}).status_code == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait() == 0


def test_an_interrupt_while_nobody_asks_is_no_failure(server: subprocess.Popen[str]) -> None:
    server.send_signal(signal.SIGINT)
    assert server.wait() == 0


def test_a_server_can_be_stopped_while_it_loads_its_model(exported_folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "app"],
        env={**os.environ, "SEQ2SEQ_MODEL": str(exported_folder), "SEQ2SEQ_PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "engine" in process.stderr.readline()  # of the worker, before it is ready
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_signal_before_the_server_has_a_handler_is_no_failure(exported_folder: Path) -> None:
    code = """
import signal, sys
from app.server import Server
from app.__main__ import main
Server.run = lambda server: signal.raise_signal(signal.SIGTERM)
sys.exit(main([]))
"""
    environment = {**os.environ, "SEQ2SEQ_MODEL": str(exported_folder)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS
    )
    assert (done.returncode, "cannot listen" in done.stderr) == (0, False)


def test_a_port_in_use_stops_the_program(
    server: subprocess.Popen[str], exported_folder: Path
) -> None:
    settings = {"SEQ2SEQ_MODEL": str(exported_folder), "SEQ2SEQ_PORT": str(server.args)}
    told = refusal(settings)
    assert "address already in use" in told and "SEQ2SEQ_PORT" in told
