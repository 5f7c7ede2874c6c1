"""What goes over a socket: requests as odd clients send them, and what they get."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.protocol import HttpProtocol
from app.settings import Settings
from model.tokenizer import Tokenizer
from tests.app.fakes import REPLY, Serve, SteppedEngine, loop
from tests.conftest import PATIENCE_SECONDS, wait_until
from tests.engines import TableEngine

BODY = b'{"message":"hello"}'
HEAD = b"POST /reply HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
REQUEST = HEAD + b"Content-Length: 19\r\n\r\n" + BODY
LAST_REQUEST = HEAD + b"Connection: close\r\nContent-Length: 19\r\n\r\n" + BODY


def connect(client: httpx.Client) -> socket.socket:
    address = client.base_url.host, client.base_url.port or 80
    return socket.create_connection(address, timeout=PATIENCE_SECONDS)


def talk(client: httpx.Client, *sent: bytes) -> bytes:
    """All that comes until the server closes the connection."""
    with connect(client) as connection:
        received = b""
        # It may be closed while more is on its way.
        with suppress(ConnectionResetError, BrokenPipeError):
            for each in sent:
                connection.sendall(each)
            while chunk := connection.recv(65_536):
                received += chunk
        return received


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"foo"])
@pytest.mark.parametrize("pieces", [1, 2])
def test_an_offered_upgrade_is_ignored(client: httpx.Client, protocol: bytes, pieces: int) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: %b\r\n" % protocol
    request = HEAD + offer + b"Content-Length: 19\r\n\r\n" + BODY
    answer = talk(client, *([request] if pieces == 1 else [request[:-19], BODY]))
    assert status_of(answer) == 200
    assert REPLY.encode() in answer


def test_a_chunked_body_beside_an_offered_upgrade_is_read(client: httpx.Client) -> None:
    offer = b"Connection: Upgrade, close\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = talk(client, HEAD + offer + b"13\r\n" + BODY + b"\r\n0\r\n\r\n")
    assert REPLY.encode() in answer


def test_a_stream_to_a_client_of_http_1_0_ends_with_its_connection(client: httpx.Client) -> None:
    body = b'{"message":"hello","stream":true}'
    head = b"POST /reply HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    answer = talk(client, head % len(body) + body)
    assert status_of(answer) == 200
    assert b"transfer-encoding" not in answer.lower()
    assert answer.partition(b"\r\n\r\n")[2].startswith(b"event: delta\n")


def endless_heads() -> Iterator[tuple[str, bytes]]:
    yield "one field", b"POST /reply HTTP/1.1\r\nX: " + b"a" * 2_000_000
    yield "many fields", b"POST /reply HTTP/1.1\r\n" + b"X: a\r\n" * 300_000
    yield "a path", b"GET /" + b"a" * 2_000_000
    yield "many fields that end", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 101 + b"\r\n"
    yield "a field that ends", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 66_000 + b"\r\n\r\n"


@pytest.mark.parametrize("head", [head for _, head in endless_heads()], ids=dict(endless_heads()))
def test_a_head_without_end_is_refused_and_its_connection_closed(
    client: httpx.Client, head: bytes
) -> None:
    pieces = [head[place : place + 10_000] for place in range(0, len(head), 10_000)]
    answer = talk(client, *pieces)
    assert not answer or status_of(answer) == 431  # a reset may overtake the answer
    assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize("field", [b"T: a\r\n", b"T: " + b"a" * 10_000], ids=["many", "one"])
def test_trailers_without_end_are_refused(client: httpx.Client, field: bytes) -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = talk(client, head, b"13\r\n" + BODY + b"\r\n0\r\n", *[field * 100] * 300)
    assert not answer or status_of(answer) == 431


def test_a_body_in_small_chunks_is_read(client: httpx.Client) -> None:
    body = b'{"message":"hello"' + b" " * 20_000 + b"}"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    head = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [chunks[place : place + 10_000] for place in range(0, len(chunks), 10_000)]
    assert REPLY.encode() in talk(client, head, *pieces, b"0\r\nTrailer: 1\r\n\r\n")


def test_connect_is_refused(client: httpx.Client) -> None:
    assert status_of(talk(client, b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n")) == 400


def test_requests_after_an_offered_upgrade_are_answered(client: httpx.Client) -> None:
    offer = b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 19\r\n\r\n"
    answer = talk(client, (HEAD + offer + BODY) * 2 + LAST_REQUEST)
    assert answer.count(b"HTTP/1.1 200") == 3


def test_what_is_no_http_gets_an_error_in_the_usual_shape(client: httpx.Client) -> None:
    answer = talk(client, b"\x16\x03\x01\x02\x00\r\n\r\n")
    assert status_of(answer) == 400
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_request"


def test_a_length_of_two_meanings_is_refused(client: httpx.Client) -> None:
    both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert status_of(talk(client, HEAD + both)) == 400


@pytest.mark.parametrize(
    "sent", [b"", b"POST /re", HEAD, HEAD + b"Content-Length: 19\r\n\r\n{"], ids=range(4)
)
def test_a_request_that_does_not_come_is_given_up(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(HttpProtocol, "request_seconds", 0.1)
    assert status_of(talk(client, sent)) == 408


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="needs Linux")
def test_a_client_that_does_not_read_is_given_up(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[Exception | None] = []
    end = HttpProtocol.connection_lost

    def connection_lost(protocol: HttpProtocol, error: Exception | None) -> None:
        lost.append(error)
        end(protocol, error)

    monkeypatch.setattr(HttpProtocol, "stalled_seconds", 0.2)
    monkeypatch.setattr(HttpProtocol, "connection_lost", connection_lost)
    with connect(client) as connection:
        connection.sendall(b"GET /static/swagger/swagger-ui-bundle.js HTTP/1.1\r\n\r\n" * 10)
        wait_until(lambda: any(isinstance(error, TimeoutError) for error in lost))


def test_requests_after_one_another_have_a_time_of_their_own(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadlines: list[asyncio.TimerHandle | None] = []
    answer = HttpToolsProtocol.on_response_complete

    def on_response_complete(protocol: HttpProtocol) -> None:
        deadlines.append(protocol._deadline)
        answer(protocol)

    monkeypatch.setattr(HttpProtocol, "on_response_complete", on_response_complete)
    with connect(client) as connection:
        for _ in range(4):
            connection.sendall(REQUEST)
            assert REPLY.encode() in connection.recv(65_536)
    wait_until(lambda: len(deadlines) == 4)
    assert deadlines == [None] * 4  # it ended with each request


def test_connections_beyond_the_limit_are_turned_away(
    serve: Serve, table_engine: TableEngine
) -> None:
    with serve(table_engine, Settings(max_connections=4)) as client:
        assert client.get("/health/live").status_code == 200
        others = [connect(client) for _ in range(4)]
        answer = talk(client, LAST_REQUEST)
        assert status_of(answer) == 503
        assert b"retry-after: 1" in answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "overloaded"
        models = LAST_REQUEST.replace(b"/reply", b"/v1/models")
        error = json.loads(talk(client, models).partition(b"\r\n\r\n")[2])["error"]
        assert error["type"] == "server_error"  # in the format of the path's protocol
        for each in others:
            each.close()
        wait_until(lambda: client.get("/health/live").status_code == 200)


def test_the_answer_before_garbage_is_sent(client: httpx.Client) -> None:
    answer = talk(client, REQUEST + b"garbage\r\n\r\n")
    assert status_of(answer) == 200
    assert b"HTTP/1.1 400" in answer


FOLLOWING: dict[str, list[bytes]] = {
    "a whole one": [REQUEST + REQUEST],
    "half a head": [REQUEST + b"POST /re"],
    "a whole one, later": [REQUEST, REQUEST],
    "several, later": [REQUEST, REQUEST * 20, REQUEST],
}


@pytest.mark.parametrize("pieces", FOLLOWING.values(), ids=FOLLOWING)
def test_who_hangs_up_with_requests_in_line_frees_the_rows(
    serve: Serve, engine: SteppedEngine, pieces: list[bytes]
) -> None:
    with serve(engine) as client:

        def is_idle() -> bool:
            engine.go()
            return client.get("/health/ready").json()["rows_in_use"] == 0

        connection = connect(client)
        for place, piece in enumerate(pieces):
            connection.sendall(piece)
            if place == 0:
                assert engine.arrives()
            else:
                client.get("/health/live")  # the piece was read meanwhile
        connection.close()
        wait_until(is_idle, pause_seconds=0.05)
        assert engine.steps < 20, "a reply was decoded to its end"


@pytest.fixture
def engine(tokenizer: Tokenizer) -> SteppedEngine:
    """Never ends a reply, and stands still before each step."""
    return SteppedEngine(loop(tokenizer.target_vocab_size, 7))
