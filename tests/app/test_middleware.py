from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from starlette.requests import ClientDisconnect
from starlette.types import Message

from app.middleware import MAX_LARGEST_FILES, ErrorBoundary, RequestLimits, install_error_handlers

LIMIT = 100


def send(chunks: list[bytes], headers: list[tuple[bytes, bytes]]) -> tuple[list[Message], int]:
    """Posts chunks to an application that counts bytes. What it sent; chunks that were read."""
    app = FastAPI()
    app.add_middleware(RequestLimits, max_body_bytes=LIMIT, max_file_bytes=4 * LIMIT)
    install_error_handlers(app)

    @app.post("/")
    async def count(request: Request) -> int:
        return len(await request.body())

    waiting, sent = list(chunks), list[Message]()

    async def receive() -> Message:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def collect(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": headers,
    }
    asyncio.run(app(scope, receive, collect))
    return sent, len(chunks) - len(waiting)


def test_a_body_of_exactly_the_limit_passes() -> None:
    sent, _ = send([b"x" * 60, b"x" * 40], [])
    assert sent[0]["status"] == 200
    assert sent[1]["body"] == b"100"


def test_a_body_that_tells_its_size_is_refused_unread() -> None:
    sent, chunks_read = send([b"x" * 101], [(b"content-length", b"101")])
    assert sent[0]["status"] == 413
    assert chunks_read == 0


def test_a_length_of_two_meanings_is_refused_unread() -> None:
    both = [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")]
    sent, chunks_read = send([b"x" * 60] * 50, both)
    assert (sent[0]["status"], chunks_read) == (400, 0)


@pytest.mark.parametrize(
    "headers", [[(b"x", b"a" * 66_000)], [(b"x", b"a")] * 101], ids=["long", "many"]
)
def test_a_head_beyond_the_limits_is_refused_and_its_connection_closed(
    headers: list[tuple[bytes, bytes]],
) -> None:
    sent, chunks_read = send([b"x"], headers)
    assert (sent[0]["status"], chunks_read) == (431, 0)
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_compressed_body_is_refused_unread() -> None:
    sent, chunks_read = send([b"x"], [(b"content-encoding", b"gzip")])
    assert (sent[0]["status"], chunks_read) == (415, 0)
    assert json.loads(sent[1]["body"])["error"]["code"] == "unsupported_media_type"
    sent, _ = send([b"x"], [(b"content-encoding", b"identity")])
    assert sent[0]["status"] == 200


def test_a_body_without_a_size_is_read_no_further_than_the_limit() -> None:
    sent, chunks_read = send([b"x" * 60] * 50, [])
    assert sent[0]["status"] == 413
    assert chunks_read == 2


def test_files_that_are_held_share_a_limit() -> None:
    app, may_end, read = FastAPI(), asyncio.Event(), list[int]()
    app.add_middleware(RequestLimits, max_body_bytes=1, max_file_bytes=LIMIT)
    install_error_handlers(app)

    @app.post("/translate_file")
    async def translate(request: Request) -> None:
        read.append(len(await request.body()))
        await may_end.wait()

    async def ask() -> tuple[list[httpx.Response], httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

            def post(size: int) -> Awaitable[httpx.Response]:
                return client.post("/translate_file", content=b"x" * size)

            sizes = [LIMIT] * (MAX_LARGEST_FILES - 1) + [LIMIT // 2] * 2
            held = [asyncio.ensure_future(post(size)) for size in sizes]
            while sorted(read) != sorted(sizes):
                await asyncio.sleep(0)
            refused = asyncio.ensure_future(post(1))
            while not refused.done() and len(read) == len(sizes):
                await asyncio.sleep(0)
            may_end.set()
            answered = await asyncio.gather(*held)
            return answered, await refused, await post(LIMIT)

    answered, refused, later = asyncio.run(ask())
    assert {each.status_code for each in (*answered, later)} == {200}
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "too many files" in refused.json()["error"]


def test_the_refusal_has_the_shape_of_other_errors() -> None:
    sent, _ = send([b"x" * 101], [(b"content-length", b"101")])
    error = json.loads(sent[1]["body"])["error"]
    assert error == {
        "code": "body_too_large",
        "message": "body: must be at most 100 bytes",
        "field": "body",
    }


def test_an_unexpected_error_is_answered_and_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = FastAPI()
    app.add_middleware(ErrorBoundary)
    message = "a secret".upper()

    @app.get("/")
    async def fail() -> None:
        raise KeyError(message)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "unexpected KeyError" in caplog.text and "in fail" in caplog.text
    assert message not in caplog.text and message not in answer.text


def test_middleware_outside_sees_that_a_client_hung_up(caplog: pytest.LogCaptureFixture) -> None:
    app, seen = FastAPI(), list[int]()
    app.add_middleware(ErrorBoundary)

    @app.middleware("http")
    async def watch(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        answer = await call_next(request)
        seen.append(answer.status_code)
        return answer

    @app.get("/")
    async def hang_up() -> None:
        raise ClientDisconnect

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            await client.get("http://test/")

    asyncio.run(ask())
    assert (seen, caplog.messages) == ([499], [])
