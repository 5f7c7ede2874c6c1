"""Bodies of `POST /reply` that are wrong, or odd."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.app.fakes import REPLY, error_of

JSON = {"Content-Type": "application/json"}


def post(client: httpx.Client, body: str | bytes) -> httpx.Response:
    """Posts bytes as they are, wrong ones too."""
    return client.post("/reply", content=body, headers=JSON)


WRONG_FIELDS = [
    ({"message": 5}, "message"),
    ({"message": ["hello"]}, "message"),
    ({"message": ""}, "message"),
    ({"message": " \n\t"}, "message"),
    ({"message": "\x00\x1b\u200b"}, "message"),
    ({"message": "\ud800"}, "message"),
    ({"message": "x" * 4001}, "message"),
    ({}, "message"),
    ({"message": None}, "message"),
    ({"messages": []}, "message"),
    ({"message": "hello", "messages": ["hello"]}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": ["hello"] * 65}, "messages"),
    ({"messages": ["hello", 5]}, "messages.1"),
    ({"messages": ["hello", " "]}, "messages.1"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"batch": []}, "batch"),
    ({"batch": "hello"}, "batch"),
    ({"batch": ["hello", " "]}, "batch.1"),
    ({"batch": ["hello", []]}, "batch.1"),
    ({"batch": ["hello", ["hello", 5]]}, "batch.1.1"),
    ({"batch": ["hello", 5]}, "batch.1"),
    ({"batch": ["hello"] * 65}, "batch"),
    ({"batch": ["hello"], "message": "hello"}, "batch"),
    ({"batch": ["hello"], "stream": True}, "batch"),
    ({"message": "hello", "model": 5}, "model"),
    ({"messages": [{"role": "system", "content": "be kind"}]}, "messages.0.role"),
    ({"messages": [{"role": "user", "content": "hello", "name": "x"}]}, "messages.0.name"),
    ({"message": "hello", "beam_size": 0}, "beam_size"),
    ({"message": "hello", "beam_size": -1}, "beam_size"),
    ({"message": "hello", "beam_size": 10_000}, "beam_size"),
    ({"message": "hello", "beam_size": 10**4000}, "beam_size"),
    ({"message": "hello", "beam_size": "4"}, "beam_size"),
    ({"message": "hello", "beam_size": 4.0}, "beam_size"),
    ({"message": "hello", "beam_size": True}, "beam_size"),
    ({"message": "hello", "beam_size": float("nan")}, "beam_size"),
    ({"message": "hello", "length_penalty": float("nan")}, "length_penalty"),
    ({"message": "hello", "length_penalty": float("inf")}, "length_penalty"),
    ({"message": "hello", "length_penalty": -0.1}, "length_penalty"),
    ({"message": "hello", "decoding": "sampling"}, "decoding"),
    ({"message": "hello", "decoding": "greedy", "beam_size": 4}, "beam_size"),
    ({"message": "hello", "decoding": "greedy", "n_best": 2}, "n_best"),
    ({"message": "hello", "n_best": 17}, "n_best"),
    ({"message": "hello", "beam_size": 2, "n_best": 3}, "n_best"),
    ({"message": "hello", "max_tokens": 0}, "max_tokens"),
    ({"message": "hello", "max_tokens": 257}, "max_tokens"),
    ({"message": "hello", "decoding": "greedy", "temperature": 1.0}, "temperature"),
    ({"message": "hello", "decoding": "sample", "temperature": 0.0}, "temperature"),
    ({"message": "hello", "temprature": 1.0}, "temprature"),
    ({"message": "hello", "top_k": 10**40}, "top_k"),
    ({"message": "hello", "top_p": 0.0}, "top_p"),
    ({"message": "hello", "seed": -1}, "seed"),
    ({"message": "hello", "seed": 2**63}, "seed"),
    ({"message": "hello", "min_tokens": 5, "max_tokens": 4}, "min_tokens"),
    ({"message": "hello", "repetition_penalty": 0.5}, "repetition_penalty"),
    ({"message": "hello", "no_repeat_ngram": 65}, "no_repeat_ngram"),
    ({"message": "hello", "prefix": "i am fine, thank you", "max_tokens": 2}, "prefix"),
    ({"message": "hello", "blocked_words": ["fine", " "]}, "blocked_words.1"),
    ({"message": "hello", "blocked_words": ["fine"] * 65}, "blocked_words"),
    ({"message": "hello", "blocked_words": "fine"}, "blocked_words"),
    ({"message": "hello", "required_words": ["fine", " "]}, "required_words.1"),
    ({"message": "hello", "required_words": ["fine"] * 9}, "required_words"),
    ({"message": "hello", "required_words": ["i am fine"], "max_tokens": 2}, "required_words"),
    ({"message": "hello", "required_words": ["fine"], "beam_size": 1}, "required_words"),
    ({"message": "hello", "required_words": ["fine"], "decoding": "sample"}, "required_words"),
    ({"message": "hello", "required_words": ["fine", "\U0001f600"]}, "required_words.1"),
    ({"message": "hello", "required_words": ["fine \u0448"]}, "required_words.0"),
    ({"message": "hello", "required_words": ["i am"], "blocked_words": ["am"]}, "required_words.0"),
    (
        {"message": "hello", "required_words": ["fine"], "blocked_words": ["Fine"]},
        "required_words.0",
    ),
    (
        {"message": "hello", "prefix": "i am", "required_words": ["fine"], "max_tokens": 4},
        "required_words",
    ),
    ({"message": "hello", "prefix": " "}, "prefix"),
    ({"message": "hello", "prefix": "\u0000"}, "prefix"),
    ({"message": "hello", "prefix": "\udcff"}, "prefix"),
    ({"message": "hello", "prefix": "i \U0001f600"}, "prefix"),
    ({"message": "hello", "prefix": "i am", "blocked_words": ["film", "am"]}, "prefix"),
    ({"message": "hello", "top_k": 1001}, "top_k"),
    ({"message": "hello", "rerank_weight": 0.5}, "rerank_weight"),
    ({"message": "hello", "rerank_weight": -1.0}, "rerank_weight"),
    ({"message": "hello", "<temperature>": 1.0}, "<temperature>"),
    ({"message": "hello", "\ud800": 1}, "body"),
    ({"message": "hello", "a\x00": 1}, "a\ufffd"),
]


@pytest.mark.parametrize(("body", "field"), WRONG_FIELDS, ids=lambda value: repr(value)[:60])
def test_a_wrong_field_is_named(client: httpx.Client, body: dict[str, Any], field: str) -> None:
    answer = post(client, json.dumps(body))
    error = error_of(answer)
    assert (answer.status_code, error["code"]) == (422, "invalid_input")
    assert error["field"] == field


WRONG_BODIES: list[tuple[str, bytes, int]] = [
    ("nothing", b"", 422),
    ("no JSON", b"hello", 422),
    ("half of it", b'{"message": "hel', 422),
    ("a list", b"[]", 422),
    ("a text", b'"hello"', 422),
    ("null", b"null", 422),
    ("no UTF-8", b'{"message": "\xff\xfe"}', 400),
    ("UTF-16", '{"message": "hello"}'.encode("utf-16"), 400),
    ("UTF-16 without a mark", '{"message": "hello"}'.encode("utf-16-le"), 400),
    ("UTF-32", '{"message": "hello"}'.encode("utf-32"), 400),
    ("surrogates in CESU-8", b'{"message": "hi \xed\xa0\xbd\xed\xb8\x80"}', 400),
    ("nested too deep", b'{"message": ' + b"[" * 30_000, 400),
    ("nested deep", b'{"message": ' + b"[" * 900 + b"]" * 900 + b"}", 422),
    ("a number of 10,000 digits", b'{"beam_size": ' + b"9" * 10_000 + b"}", 400),
    ("1 MB", json.dumps({"message": "x" * 10**6}).encode(), 413),
]


@pytest.mark.parametrize(
    ("body", "status"), [case[1:] for case in WRONG_BODIES], ids=[case[0] for case in WRONG_BODIES]
)
def test_a_wrong_body_is_refused(client: httpx.Client, body: bytes, status: int) -> None:
    answer = post(client, body)
    assert answer.status_code == status
    assert error_of(answer)["field"] == ("message" if b"[]" in body[12:] else "body")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"message": "M\xfcller"}', "body: is not UTF-8: see byte 14. Send it in UTF-8"),
        ('{"message": "hello"}'.encode("utf-16"), "body: is UTF-16 or UTF-32. Send it in UTF-8"),
        (b'{"message": ' + b"[" * 30_000, "body: is nested too deeply, or has too long a number"),
        (b'{"message": "hel', "body: is not JSON: Unterminated string starting at (character 12)"),
    ],
)
def test_what_is_wrong_with_a_body_is_told(client: httpx.Client, body: bytes, reason: str) -> None:
    assert error_of(post(client, body))["message"] == reason


def test_a_mark_before_the_body_is_no_part_of_it(client: httpx.Client) -> None:
    answer = post(client, b'\xef\xbb\xbf{"message": "hello"}')
    assert (answer.status_code, answer.json()["reply"]) == (200, REPLY)


def test_what_was_not_read_is_told(client: httpx.Client) -> None:
    turns = ["hello"] * 5
    assert client.post("/reply", json={"messages": turns}).json()["usage"]["turns_dropped"] == 3
    usage = client.post("/reply", json={"message": "hello " * 600}).json()["usage"]
    assert usage["prompt_tokens_dropped"] > 0


def test_draws_without_a_top_k_are_among_many(client: httpx.Client) -> None:
    wishes = {"message": "hello", "temperature": 5.0, "top_k": 0, "n_best": 16, "seed": 3}
    body = client.post("/reply", json=wishes).json()
    assert len({each["text"] for each in body["candidates"]}) > 8


@pytest.mark.parametrize("body", [b"[]", b"null", b'{"messages": [1]}'])
def test_what_is_no_object_is_told_in_words_of_json(client: httpx.Client, body: bytes) -> None:
    assert "must be a JSON object" in error_of(post(client, body))["message"]


def test_a_body_without_its_content_type_says_which_to_send(client: httpx.Client) -> None:
    answer = client.post("/reply", content=b'{"message": "hello"}')
    assert answer.status_code == 422
    assert "Content-Type: application/json" in error_of(answer)["message"]


def test_a_large_body_in_chunks_is_refused(client: httpx.Client) -> None:
    answer = client.post("/reply", content=(b" " * 10_000 for _ in range(100)), headers=JSON)
    assert (answer.status_code, error_of(answer)["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "message",
    [
        "hello\x00\x1b[31m",
        "hello \ud800",
        "\u304a\u5143\u6c17\u3067\u3059\u304b",
        "\U0001f600",
        "</s>",
        "<sep>",
    ],
    ids=["control characters", "lone surrogate", "unseen script", "emoji", "end", "separator"],
)
def test_odd_text_gets_a_reply(client: httpx.Client, message: str) -> None:
    answer = post(client, json.dumps({"message": message}))
    assert (answer.status_code, answer.json()["reply"]) == (200, REPLY)


@settings(max_examples=60)
@given(message=st.text(st.characters(codec=None), max_size=50))
def test_any_text_gets_a_reply_or_is_refused(client: httpx.Client, message: str) -> None:
    answer = post(client, json.dumps({"message": message}))
    assert answer.status_code in (200, 422)


FIELDS = ("message", "messages", "decoding", "beam_size", "length_penalty", "n_best", "max_tokens")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("role", "content", "x")), inner)
    ),
    max_leaves=5,
)


@settings(max_examples=60)
@given(body=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=3), VALUES, max_size=4))
def test_any_json_gets_a_reply_or_is_refused(client: httpx.Client, body: dict[str, Any]) -> None:
    answer = post(client, json.dumps(body))
    assert answer.status_code in (200, 422)
