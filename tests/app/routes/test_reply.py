from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.types import Receive, Scope, Send

from app.main import create_app
from app.settings import Settings
from model.contract import Engine, StepResult
from model.generator import Generator
from model.tokenizer import BOS_ID, EOS_ID, Tokenizer
from model.types import Int32
from tests.app.fakes import (
    FALLBACK,
    REPLY,
    Serve,
    SteppedEngine,
    chain,
    error_of,
    loaded,
    loop,
    serving,
)
from tests.conftest import PATIENCE_SECONDS, wait_until
from tests.engines import TableEngine


def test_a_message_gets_a_reply(client: httpx.Client, tokenizer: Tokenizer) -> None:
    answer = client.post("/reply", json={"message": "how are you today"})
    assert answer.status_code == 200
    body = answer.json()
    pieces = tokenizer.target_pieces(tokenizer.target_ids(REPLY))
    assert body["reply"] == body["candidates"][0]["text"] == REPLY
    assert body["candidates"][0]["tokens"] == pieces
    assert body["candidates"][0]["score"] < 0
    assert body["model"] == "tiny"
    assert body["finish_reason"] == "stop"
    assert body["usage"] == {
        "prompt_tokens": len(tokenizer.source_ids("how are you today")),
        "prompt_tokens_dropped": 0,
        "turns_dropped": 0,
        "completion_tokens": len(pieces),
    }
    assert body["latency_ms"] > 0


def test_a_prefix_begins_every_candidate(client: httpx.Client) -> None:
    wishes = {"message": "hello", "prefix": "thank you", "n_best": 2, "max_tokens": 16}
    body = client.post("/reply", json=wishes).json()
    assert all(each["text"].startswith("thank you") for each in body["candidates"])


@pytest.mark.parametrize("word", ["thank", "Thank", "THANK"])
def test_a_blocked_word_is_not_said(client: httpx.Client, word: str) -> None:
    wishes = {"message": "hello", "blocked_words": [word], "max_tokens": 16}
    assert "thank" not in client.post("/reply", json=wishes).json()["reply"]


def test_a_word_that_the_server_blocks_is_not_said(serve: Serve, table_engine: TableEngine) -> None:
    with serve(table_engine, Settings(blocked_words="nobody, Thank")) as client:
        chat = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
        answer = client.post("/v1/chat/completions", json={**chat, "max_tokens": 16}).json()
        replies = [
            answer["choices"][0]["message"]["content"],
            client.post("/reply", json={"message": "hello", "max_tokens": 16}).json()["reply"],
        ]
    assert all("thank" not in reply for reply in replies)


def test_a_reply_is_not_repeated_in_a_dialogue(serve: Serve, tokenizer: Tokenizer) -> None:
    pieces, further = tokenizer.target_ids(REPLY), tokenizer.target_ids("robin")
    table = chain(tokenizer.target_vocab_size, BOS_ID, *pieces, EOS_ID)
    table[pieces[-1], further[0]] = 0.05
    dialogue = {"messages": ["hello", REPLY, "hello"], "max_tokens": 16}
    with serve(TableEngine(table)) as client:
        for is_blocked in (False, True):
            body = {**dialogue, "no_repeat_reply": is_blocked}
            reply = client.post("/reply", json=body).json()["reply"]
            assert (reply == REPLY) is not is_blocked
            assert reply.startswith(REPLY)


def test_a_model_says_that_it_does_not_know(unsure_client: httpx.Client) -> None:
    known, unknown = (
        unsure_client.post("/reply", json={"message": message}).json()
        for message in ("How are you", "asdf")
    )
    assert (known["reply"], known["confidence"], known["is_fallback"]) == (REPLY, 1.0, False)
    assert (unknown["reply"], unknown["is_fallback"]) == (FALLBACK, True)
    assert unknown["confidence"] < 0.6
    (candidate,) = unknown["candidates"]
    assert (candidate["text"], candidate["tokens"]) == (FALLBACK, [])
    assert REPLY.split()[-1] not in json.dumps(unknown)


def test_each_message_of_a_batch_may_be_unknown(unsure_client: httpx.Client) -> None:
    body = {"batch": ["asdf", "how are you?", ["how are you?", REPLY, "asdf"]]}
    replies = unsure_client.post("/reply", json=body).json()["replies"]
    assert [each["reply"] for each in replies] == [FALLBACK, REPLY, FALLBACK]


def test_nothing_of_a_reply_that_gives_way_is_streamed(unsure_client: httpx.Client) -> None:
    for message, reply in (("asdf", FALLBACK), ("how are you?", REPLY)):
        found = events_of(unsure_client.post("/reply", json={"message": message, "stream": True}))
        assert [name for name, _ in found] == ["delta", "answer"]
        assert found[0][1]["text"] == found[1][1]["reply"] == reply


@pytest.mark.parametrize(
    ("wishes", "reply"),
    [
        ({"fallback_reply": "no idea"}, "no idea"),
        ({"fallback_reply": ""}, REPLY),
        ({"min_confidence": 0.0}, REPLY),
    ],
)
def test_a_request_may_have_another_fallback(
    unsure_client: httpx.Client, wishes: dict[str, Any], reply: str
) -> None:
    answer = unsure_client.post("/reply", json={"message": "asdf", **wishes}).json()
    assert answer["reply"] == reply


def test_a_fallback_of_a_model_that_knows_no_questions_is_refused(client: httpx.Client) -> None:
    answer = client.post("/reply", json={"message": "hello", "fallback_reply": "no idea"})
    assert answer.status_code == 422
    assert error_of(answer)["field"] == "fallback_reply"
    assert "confidence" not in client.post("/reply", json={"message": "hello"}).json()


def test_required_words_are_said(client: httpx.Client) -> None:
    wishes = {"message": "hello", "required_words": ["robin", "films"], "max_tokens": 24}
    body = client.post("/reply", json=wishes).json()
    assert body["finish_reason"] == "stop"
    assert "robin" in body["reply"]
    assert "films" in body["reply"]


def test_a_seed_repeats_what_was_drawn(client: httpx.Client) -> None:
    wishes = {"message": "hello", "decoding": "sample", "temperature": 5.0, "n_best": 8, "seed": 3}
    first, again = (client.post("/reply", json=wishes).json()["candidates"] for _ in range(2))
    assert first == again
    assert len({each["text"] for each in first}) > 1


def test_attention_is_told_to_who_asks(client: httpx.Client, tokenizer: Tokenizer) -> None:
    wishes = {"message": "hello my friend", "with_attention": True}
    body = client.post("/reply", json=wishes).json()
    (candidate,) = body["candidates"]
    assert body["source_tokens"] == tokenizer.source_pieces(tokenizer.source_ids("hello my friend"))
    weights = np.array(candidate["attention_weights"])
    assert weights.shape == (len(candidate["tokens"]) + 1, len(body["source_tokens"]))
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-3)
    assert all(len(str(weight)) <= len("0.1234") for weight in weights.flat)
    plain = client.post("/reply", json={"message": "hello"}).json()
    assert "source_tokens" not in plain
    assert "attention_weights" not in plain["candidates"][0]


def test_a_dialogue_may_mix_texts_and_turns(client: httpx.Client, tokenizer: Tokenizer) -> None:
    turns = ["hello my friend", {"role": "user", "content": "how are you"}]
    body = client.post("/reply", json={"messages": turns}).json()
    expected = len(tokenizer.source_ids(["hello my friend", "how are you"]))
    assert body["usage"]["prompt_tokens"] == expected


def test_a_batch_gets_a_reply_for_each_message(client: httpx.Client) -> None:
    batch = ["hello", "how are you", ["hello", {"role": "user", "content": "thank you"}]]
    body = client.post("/reply", json={"batch": batch, "n_best": 2, "decoding": "beam"}).json()
    alone = [
        client.post("/reply", json={**asked, "n_best": 2, "decoding": "beam"}).json()
        for asked in ({"message": "hello"}, {"message": "how are you"}, {"messages": batch[2]})
    ]
    for each in [*alone, *body["replies"]]:
        del each["latency_ms"]
    assert body["replies"] == alone
    assert body["model"] == "tiny" and body["latency_ms"] > 0


@pytest.mark.parametrize("options", [{}, {"decoding": "beam", "beam_size": 4, "max_tokens": 256}])
def test_a_batch_larger_than_the_queue_is_answered(
    serve: Serve, table_engine: TableEngine, options: dict[str, Any]
) -> None:
    with serve(table_engine, Settings(max_queue=2)) as client:
        answer = client.post("/reply", json={"batch": ["hello"] * 64, **options})
    assert [each["reply"] for each in answer.json()["replies"]] == [REPLY] * 64


def test_a_batch_that_is_refused_leaves_no_request(serve: Serve, tokenizer: Tokenizer) -> None:
    engine = SteppedEngine(loop(tokenizer.target_vocab_size, 7))
    limits = Settings().model_copy(update={"max_queue": 0})  # full at all times
    with serve(engine, limits) as client:
        answer = client.post("/reply", json={"batch": ["hello"] * 64})
        assert (answer.status_code, error_of(answer)["code"]) == (503, "overloaded")
        assert client.get("/health/ready").json()["waiting"] == 0


def test_a_beam_gives_as_many_candidates_as_asked_for(client: httpx.Client) -> None:
    wishes = {"message": "hello", "decoding": "beam", "n_best": 3, "length_penalty": 1}
    candidates = client.post("/reply", json=wishes).json()["candidates"]
    scores = [candidate["score"] for candidate in candidates]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)


def test_a_reply_is_cut_at_max_tokens(client: httpx.Client) -> None:
    body = client.post("/reply", json={"message": "hello", "max_tokens": 1}).json()
    assert body["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 1


def test_callers_at_the_same_time_all_get_a_reply(client: httpx.Client) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda _: client.post("/reply", json={"message": "hello"}), range(48))
        assert {answer.json()["reply"] for answer in answers} == {REPLY}


def test_a_late_reply_is_given_up(serve: Serve, tokenizer: Tokenizer) -> None:
    engine = SteppedEngine(loop(tokenizer.target_vocab_size, 7))
    with serve(engine, Settings(request_timeout_seconds=0.05)) as client:
        answer = client.post("/reply", json={"message": "hello"})
        engine.go()
    assert (answer.status_code, error_of(answer)["code"]) == (504, "deadline_exceeded")


def test_a_full_queue_turns_callers_away(serve: Serve, tokenizer: Tokenizer) -> None:
    engine = SteppedEngine(loop(tokenizer.target_vocab_size, 7))
    limits = Settings().model_copy(update={"max_queue": 0})  # full at all times
    with serve(engine, limits) as client:
        answer = client.post("/reply", json={"message": "hello"})
    assert (answer.status_code, error_of(answer)["code"]) == (503, "overloaded")
    assert answer.headers["retry-after"] == "1"


def test_a_request_whose_client_hung_up_is_dropped(serve: Serve, tokenizer: Tokenizer) -> None:
    engine = SteppedEngine(loop(tokenizer.target_vocab_size, 7))
    with serve(engine, Settings(max_reply_tokens=1024)) as client:
        with hold(client, {"message": "hello", "max_tokens": 1024}):
            assert engine.arrives()
        engine.go()
        step_until_idle(engine, client)
    assert engine.steps < 1024


class BrokenEngine(TableEngine):
    """Fails at every step."""

    def step(self, sources: Int32, *args: Any, **options: Any) -> StepResult:
        raise RuntimeError("a secret")


def test_a_broken_engine_gives_a_plain_500(
    serve: Serve, tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(BrokenEngine(loop(tokenizer.target_vocab_size, 7))) as client:
        answer = client.post("/reply", json={"message": "hello"})
    assert (answer.status_code, error_of(answer)["code"]) == (500, "engine_failed")
    assert "secret" not in answer.text
    assert "a secret" in caplog.text


def events_of(answer: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    """Names and data of server-sent events."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    blocks = [block.split("\n") for block in answer.text.removesuffix("\n\n").split("\n\n")]
    return [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in blocks
    ]


@pytest.mark.parametrize(
    "wishes",
    [
        {"decoding": "greedy"},
        {"decoding": "beam", "n_best": 3},
        {"decoding": "sample", "temperature": 2.0, "seed": 5},
        {"prefix": "i am"},
        {"max_tokens": 3},
    ],
    ids=str,
)
def test_a_streamed_reply_grows_into_the_whole_answer(
    client: httpx.Client, wishes: dict[str, Any]
) -> None:
    body = {"message": "hello", **wishes}
    whole = client.post("/reply", json=body).json()
    *deltas, (last, answer) = events_of(client.post("/reply", json={**body, "stream": True}))
    assert {name for name, _ in deltas} <= {"delta"} and last == "answer"
    assert "".join(each["text"] for _, each in deltas) == answer["reply"]
    del whole["latency_ms"], answer["latency_ms"]
    assert answer == whole


def test_a_greedy_reply_is_streamed_token_by_token(serve: Serve, tokenizer: Tokenizer) -> None:
    pieces = tokenizer.target_ids(REPLY)
    engine = SteppedEngine(chain(tokenizer.target_vocab_size, BOS_ID, *pieces, EOS_ID))
    with serve(engine) as client:
        engine.go()  # an answer begins with its first event
        with client.stream("POST", "/reply", json={"message": "hello", "stream": True}) as answer:
            lines, told = answer.iter_lines(), ""
            for place in range(len(pieces)):
                assert next(lines) == "event: delta"
                told += json.loads(next(lines).removeprefix("data: "))["text"]
                assert next(lines) == ""
                assert told == tokenizer.target_text(pieces[: place + 1])
                engine.go()
            assert next(lines) == "event: answer"


def test_a_streamed_request_that_is_wrong_has_its_own_status(client: httpx.Client) -> None:
    answer = client.post("/reply", json={"message": " ", "stream": True})
    assert (answer.status_code, error_of(answer)["code"]) == (422, "invalid_input")


def test_a_stream_that_fails_ends_with_an_error(serve: Serve, tokenizer: Tokenizer) -> None:
    engine = SteppedEngine(loop(tokenizer.target_vocab_size, 7))
    with serve(engine) as client:
        engine.go()
        with client.stream("POST", "/reply", json={"message": "hello", "stream": True}) as answer:
            lines = answer.iter_lines()
            assert next(lines) == "event: delta"
            engine.failure = MemoryError("a secret")
            engine.go()
            *_, name, data, _ = lines
    assert name == "event: error"
    error = json.loads(data.removeprefix("data: "))["error"]
    assert error == {"code": "engine_failed", "message": "the model failed", "field": None}


@pytest.mark.parametrize("stream", [False, True])
def test_rows_of_clients_that_hang_up_are_free_two_steps_later(
    serve: Serve, tokenizer: Tokenizer, stream: bool
) -> None:
    engine = SteppedEngine(loop(tokenizer.target_vocab_size, 7))
    clients, rows_each = 20, 3
    limits = Settings(max_reply_tokens=1024)
    body = {"message": "hello", "max_tokens": 1024, "beam_size": rows_each, "stream": stream}
    with serve(engine, limits) as client:
        connections = [hold(client, body) for _ in range(clients)]
        while rows_in_use(client) < clients * rows_each:
            assert engine.arrives()
            engine.go()
        for connection in connections:
            connection.close()
        before = steps_of(client)
        step_until_idle(engine, client)
        assert steps_of(client) - before <= 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_busy_server_notices_all_who_hang_up_before_the_next_step(
    make_generator: Callable[[Engine], Generator], tokenizer: Tokenizer, stream: bool
) -> None:
    engine = SteppedEngine(loop(tokenizer.target_vocab_size, 7))
    limits = Settings(max_reply_tokens=1024)
    inner = create_app(limits, load=partial(loaded, make_generator(engine)))
    clients = 20
    body = {"message": "hello", "stream": stream, "max_tokens": 1024}
    is_busy, may_go_on = threading.Event(), threading.Event()
    tasks: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == "/health/live":  # the whole server is busy with this
            is_busy.set()
            assert may_go_on.wait(PATIENCE_SECONDS)
        tasks.append(len(asyncio.all_tasks()))
        await inner(scope, receive, send)

    def tasks_in_server() -> int:
        client.get("/health/ready")
        return tasks[-1]

    with serving(app) as client, ThreadPoolExecutor(1) as pool:
        idle = tasks_in_server()
        connections = [hold(client, body) for _ in range(clients)]
        while asyncio.run(engine.next_rows()) < clients:
            time.sleep(0.01)  # sources are read meanwhile
            engine.go()
        steps, at_work = engine.steps, tasks_in_server()
        for connection in connections[:2]:
            connection.close()
        wait_until(lambda: at_work - tasks_in_server() == 2 * (at_work - idle) // clients)
        busy = pool.submit(client.get, "/health/live")
        assert is_busy.wait(PATIENCE_SECONDS)
        for connection in connections[2:]:
            connection.close()
        engine.go()
        assert not engine.arrives(0.1)
        may_go_on.set()
        busy.result()
        wait_until(lambda: rows_in_use(client) == 0)
        assert steps_of(client) == engine.steps == steps
        wait_until(lambda: tasks_in_server() == idle)


def step_until_idle(engine: SteppedEngine, client: httpx.Client) -> None:
    """Lets a step run now and then until no rows are in use."""

    def is_idle() -> bool:
        engine.go()
        return rows_in_use(client) == 0

    wait_until(is_idle, pause_seconds=0.05)


def rows_in_use(client: httpx.Client) -> int:
    return int(client.get("/health/ready").json()["rows_in_use"])


def steps_of(client: httpx.Client) -> int:
    return int(client.get("/health/ready").json()["steps"])


def hold(client: httpx.Client, body: dict[str, Any]) -> socket.socket:
    """A connection that has asked and does not wait."""
    content = json.dumps(body).encode()
    head = b"POST /reply HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    connection = socket.create_connection((client.base_url.host, client.base_url.port or 80))
    connection.sendall(head + b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
    return connection
