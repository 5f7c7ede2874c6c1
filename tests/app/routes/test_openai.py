"""The routes of OpenAI's API, asked by OpenAI's own client."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from app.settings import Settings
from model.contract import StepResult
from model.search.requests import MAX_TOP_K
from model.tokenizer import BOS_ID, EOS_ID, Tokenizer
from model.types import Int32
from tests.app.fakes import FALLBACK, REPLY, Serve, SteppedEngine, chain, loop
from tests.engines import TableEngine

HELLO: list[Any] = [{"role": "user", "content": "hello"}]


def client_of(client: httpx.Client, **options: Any) -> openai.OpenAI:
    """OpenAI's client of the server that `client` asks."""
    return openai.OpenAI(base_url=f"{client.base_url}/v1", api_key="none", **options)


@pytest.fixture(scope="module")
def ai(client: httpx.Client) -> Iterator[openai.OpenAI]:
    """OpenAI's client of a server that says `REPLY` to everything."""
    with client_of(client) as found:
        yield found


def test_the_models_are_listed(ai: openai.OpenAI) -> None:
    (listed,) = ai.models.list().data
    assert (listed.id, listed.object, listed.owned_by) == ("tiny", "model", "seq2seq")
    assert ai.models.retrieve("tiny") == listed
    with pytest.raises(openai.NotFoundError) as caught:
        ai.models.retrieve("an/other")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_dialogue_is_answered(ai: openai.OpenAI, tokenizer: Tokenizer) -> None:
    turns = ["how are you", "hello there", "where are you from"]
    roles = ["user", "assistant", "user"]
    messages: list[Any] = [
        {"role": role, "content": turn} for role, turn in zip(roles, turns, strict=True)
    ]
    done = ai.chat.completions.create(model="tiny", messages=messages)
    (choice,) = done.choices
    assert (choice.message.role, choice.message.content) == ("assistant", REPLY)
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    assert (done.object, done.model) == ("chat.completion", "tiny")
    assert done.usage is not None
    read, said = len(tokenizer.source_ids(turns)), len(tokenizer.target_ids(REPLY))
    assert done.usage.prompt_tokens == read
    assert done.usage.completion_tokens == said
    assert done.usage.total_tokens == read + said
    assert done.usage.turns_dropped == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("earlier", "dropped"), [(["hello"] * 90, 89), (["hello", "x" * 11, "hello"], 2)]
)
def test_a_dialogue_may_be_longer_than_what_is_read(
    serve: Serve, table_engine: TableEngine, earlier: list[str], dropped: int
) -> None:
    messages: list[Any] = [
        {"role": ["user", "assistant"][place % 2], "content": content}
        for place, content in enumerate([*earlier, "hello"])
    ]
    settings = Settings(max_messages=2, max_message_characters=10)
    with serve(table_engine, settings) as client, client_of(client) as ai:
        chat = ai.chat.completions.create(model="tiny", messages=messages)
        response = ai.responses.create(model="tiny", input=messages)
        with pytest.raises(openai.BadRequestError, match="at most 10 characters"):
            ai.chat.completions.create(
                model="tiny", messages=[*messages, {"role": "user", "content": "x" * 11}]
            )
    assert chat.usage is not None and response.usage is not None
    assert chat.usage.turns_dropped == dropped  # type: ignore[attr-defined]
    assert response.usage.turns_dropped == dropped  # type: ignore[attr-defined]


def test_content_may_be_parts(ai: openai.OpenAI, tokenizer: Tokenizer) -> None:
    parts = [{"type": "text", "text": "how are"}, {"type": "text", "text": "you"}]
    messages: list[Any] = [
        {"role": "system", "content": ""},
        {"role": "user", "content": parts},
    ]
    done = ai.chat.completions.create(model="tiny", messages=messages)
    assert done.usage is not None
    assert done.usage.prompt_tokens == len(tokenizer.source_ids("how are\nyou"))


def test_fields_that_change_nothing_are_accepted(ai: openai.OpenAI) -> None:
    done = ai.chat.completions.create(
        model="tiny",
        messages=HELLO,
        user="me",
        metadata={"a": "b"},
        tools=[],
        tool_choice="none",
        presence_penalty=0,
        frequency_penalty=0.0,
        response_format={"type": "text"},
        extra_body={"some_field": 1, "logit_bias": None},
    )
    assert done.choices[0].message.content == REPLY


CANNOT: list[tuple[dict[str, Any], str]] = [
    ({"presence_penalty": 0.5}, "presence_penalty"),
    ({"frequency_penalty": -1}, "frequency_penalty"),
    ({"logit_bias": {"5": 1}}, "logit_bias"),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
    ({"response_format": {"type": "json_object"}}, "response_format"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"reasoning_effort": "high"}, "reasoning_effort"),
    ({"store": True}, "store"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "system", "content": "be kind"}, *HELLO]}, "messages.0.role"),
    ({"messages": [{"role": "tool", "content": "5", "tool_call_id": "a"}]}, "messages.0.role"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
    (
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
            ]
        },
        "messages.0.content.0",
    ),
    ({"n": 0}, "n"),
    ({"n": 17}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 3, "max_completion_tokens": 4}, "max_completion_tokens"),
    ({"temperature": 2.5}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": 0}, "top_p"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    ({"stop": ""}, "stop"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"extra_body": {"top_k": MAX_TOP_K + 1}}, "top_k"),
]


@pytest.mark.parametrize(("wishes", "param"), CANNOT, ids=str)
def test_what_cannot_be_done_is_refused(
    ai: openai.OpenAI, wishes: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ai.chat.completions.create(**{"model": "tiny", "messages": HELLO, **wishes})
    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")
    assert caught.value.code == "invalid_input"


def test_an_unknown_model_is_not_found(ai: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"there is no model 'gpt' .* see /v1/models"):
        ai.chat.completions.create(model="gpt", messages=HELLO)


def test_errors_outside_of_the_routes_have_the_same_shape(client: httpx.Client) -> None:
    for answer in (
        client.get("/v1/nowhere"),
        client.get("/v1/chat/completions"),
        client.post("/v1/completions", content=b"{"),
        client.post("/v1/completions", content=b" " * 100_000),
    ):
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error"


def test_choices_are_drawn_again_from_a_seed(ai: openai.OpenAI) -> None:
    def draw(seed: int) -> list[str | None]:
        done = ai.chat.completions.create(
            model="tiny", messages=HELLO, temperature=2.0, n=6, seed=seed, top_p=0.9, max_tokens=8
        )
        assert [choice.index for choice in done.choices] == list(range(6))
        return [choice.message.content for choice in done.choices]

    assert draw(-5) == draw(-5) != draw(6)


def test_a_top_p_draws(ai: openai.OpenAI) -> None:
    found = {
        ai.chat.completions.create(model="tiny", messages=HELLO, top_p=0.99, seed=seed)
        .choices[0]
        .message.content
        for seed in range(8)
    }
    assert len(found) > 1


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_reply_is_cut_at_its_longest(ai: openai.OpenAI, field: str) -> None:
    wishes: dict[str, Any] = {field: 2}
    done = ai.chat.completions.create(model="tiny", messages=HELLO, **wishes)
    assert done.choices[0].finish_reason == "length"
    assert done.usage is not None and done.usage.completion_tokens == 2


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_client_for_larger_models_gets_the_longest_reply_of_the_server(
    serve: Serve, tokenizer: Tokenizer, field: str
) -> None:
    endless = TableEngine(loop(tokenizer.target_vocab_size, 7))
    with serve(endless, Settings(max_reply_tokens=30)) as client, client_of(client) as ai:
        wishes: dict[str, Any] = {field: 4096}
        done = ai.chat.completions.create(model="tiny", messages=HELLO, **wishes)
    assert done.usage is not None and done.usage.completion_tokens == 30
    assert done.choices[0].finish_reason == "length"


def test_a_reply_ends_at_a_stop_sequence(ai: openai.OpenAI, tokenizer: Tokenizer) -> None:
    done = ai.chat.completions.create(model="tiny", messages=HELLO, stop=[", th", "zzz"])
    assert done.choices[0].message.content == "i am fine"
    assert done.choices[0].finish_reason == "stop"
    tokens = tokenizer.target_ids(REPLY)
    assert done.usage is not None
    read = tokenizer.target_text(tokens[: done.usage.completion_tokens])
    assert ", th" in read
    assert ", th" not in tokenizer.target_text(tokens[: done.usage.completion_tokens - 1])


def test_the_logprobs_of_tokens_are_those_of_the_network(
    ai: openai.OpenAI, tokenizer: Tokenizer
) -> None:
    done = ai.chat.completions.create(model="tiny", messages=HELLO, logprobs=True, top_logprobs=3)
    assert done.choices[0].logprobs is not None
    content = done.choices[0].logprobs.content or []
    assert "".join(each.token for each in content) == REPLY
    assert bytes(b for each in content for b in each.bytes or []).decode() == REPLY
    for each in content:
        assert each.logprob == pytest.approx(math.log(0.9), abs=1e-5)
        assert len(each.top_logprobs) == 3
        assert each.top_logprobs[0].token == each.token
        assert each.top_logprobs[0].logprob == pytest.approx(each.logprob, abs=1e-5)
        rest = math.log(0.1 / (tokenizer.target_vocab_size - 1))
        assert each.top_logprobs[1].logprob == pytest.approx(rest, abs=1e-4)


def deltas_of(chunks: list[ChatCompletionChunk], index: int = 0) -> list[str]:
    """What the chunks add to a choice."""
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    assert choices[0].delta.role == "assistant"
    assert [choice.finish_reason for choice in choices[:-1]] == [None] * (len(choices) - 1)
    assert choices[-1].finish_reason is not None
    return [choice.delta.content for choice in choices if choice.delta.content]


def test_a_reply_is_streamed(ai: openai.OpenAI, tokenizer: Tokenizer) -> None:
    with ai.chat.completions.create(
        model="tiny", messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *chunks, last = stream
    assert "".join(deltas_of(chunks)) == REPLY
    assert {(chunk.id, chunk.object) for chunk in [*chunks, last]} == {
        (last.id, "chat.completion.chunk")
    }
    assert last.choices == [] and last.usage is not None
    assert last.usage.completion_tokens == len(tokenizer.target_ids(REPLY))
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_has_no_usage_unless_it_is_asked_for(client: httpx.Client) -> None:
    body = {"model": "tiny", "messages": HELLO, "stream": True}
    text = client.post("/v1/chat/completions", json=body).text
    assert text.endswith("\n\ndata: [DONE]\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n")[:-2]]
    assert [choice["finish_reason"] for event in events for choice in event["choices"]][
        -1
    ] == "stop"
    assert all(event["usage"] is None for event in events)


def test_a_stream_comes_token_by_token(serve: Serve, tokenizer: Tokenizer) -> None:
    pieces = tokenizer.target_ids(REPLY)
    engine = SteppedEngine(chain(tokenizer.target_vocab_size, BOS_ID, *pieces, EOS_ID))
    with serve(engine) as client, client_of(client) as ai:
        engine.go()  # an answer begins with its first event
        with ai.chat.completions.create(model="tiny", messages=HELLO, stream=True) as stream:
            told = ""
            for place in range(len(pieces)):
                told += next(stream).choices[0].delta.content or ""
                assert told == tokenizer.target_text(pieces[: place + 1])
                engine.go()
            assert [chunk.choices[0].finish_reason for chunk in stream] == ["stop"]


def test_several_choices_are_streamed(ai: openai.OpenAI) -> None:
    wishes: dict[str, Any] = {"model": "tiny", "messages": HELLO, "n": 3, "max_tokens": 8}
    whole = ai.chat.completions.create(**wishes)
    with ai.chat.completions.create(**wishes, stream=True) as stream:
        chunks = list(stream)
    told = ["".join(deltas_of(chunks, index)) for index in range(3)]
    assert told == [choice.message.content for choice in whole.choices]


def test_a_stream_with_logprobs_has_those_of_its_text(ai: openai.OpenAI) -> None:
    wishes: dict[str, Any] = {"model": "tiny", "messages": HELLO, "logprobs": True}
    with ai.chat.completions.create(**wishes, stream=True) as stream:
        chunks = list(stream)
    scores = [chunk.choices[0].logprobs for chunk in chunks]
    tokens = [each.token for score in scores if score for each in score.content or []]
    assert "".join(tokens) == "".join(deltas_of(chunks)) == REPLY


def test_a_stream_ends_at_a_stop_sequence(ai: openai.OpenAI) -> None:
    with ai.chat.completions.create(
        model="tiny", messages=HELLO, stop="fine, th", stream=True
    ) as stream:
        assert "".join(deltas_of(list(stream))) == "i am "


def test_a_stream_that_fails_raises_at_the_client(serve: Serve, tokenizer: Tokenizer) -> None:
    engine = SteppedEngine(loop(tokenizer.target_vocab_size, 7))
    with serve(engine) as client, client_of(client) as ai:
        engine.go()
        with ai.chat.completions.create(model="tiny", messages=HELLO, stream=True) as stream:
            next(stream)
            engine.failure = MemoryError("a secret")
            engine.go()
            with pytest.raises(openai.APIError, match="the model failed"):
                list(stream)


@pytest.mark.parametrize("options", [{}, {"logprobs": True}, {"stop": "els"}, {"n": 2}])
def test_a_model_says_that_it_does_not_know(
    unsure_client: httpx.Client, options: dict[str, Any]
) -> None:
    wishes = {"model": "tiny", "messages": [{"role": "user", "content": "asdf"}], **options}
    with client_of(unsure_client) as ai:
        whole = ai.chat.completions.create(**wishes)
        with ai.chat.completions.create(**wishes, stream=True) as stream:
            chunks = list(stream)
    for choice in whole.choices:
        assert (choice.message.content, choice.finish_reason) == (FALLBACK, "stop")
        assert choice.model_extra is not None and choice.model_extra["is_fallback"] is True
    assert "".join(deltas_of(chunks)) == FALLBACK
    last = next(chunk.choices[0] for chunk in chunks if chunk.choices[0].finish_reason)
    assert last.model_extra is not None and last.model_extra["confidence"] < 0.6


def test_a_confidence_is_told_only_where_there_is_one(
    client: httpx.Client, unsure_client: httpx.Client
) -> None:
    body = {"model": "tiny", "prompt": "how are you?"}
    plain, sure = (
        each.post("/v1/completions", json=body).json() for each in (client, unsure_client)
    )
    assert "confidence" not in plain["choices"][0]
    assert (sure["choices"][0]["confidence"], sure["choices"][0]["is_fallback"]) == (1.0, False)


def test_a_busy_server_is_asked_again(serve: Serve, table_engine: TableEngine) -> None:
    settings = Settings().model_copy(update={"max_queue": 0})  # full at all times
    seen: list[Any] = []
    with serve(table_engine, settings) as client, client_of(client, max_retries=1) as ai:
        post = ai._client.send

        def send(*request: Any, **options: Any) -> Any:
            seen.append(post(*request, **options))
            return seen[-1]

        ai._client.send = send  # type: ignore[method-assign]
        with pytest.raises(openai.InternalServerError) as caught:
            ai.chat.completions.create(model="tiny", messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
    assert [answer.status_code for answer in seen] == [503, 503]


def test_log_probabilities_need_no_more_room_than_a_single_search(
    serve: Serve, table_engine: TableEngine
) -> None:
    with serve(table_engine, Settings(max_queue=1)) as client, client_of(client) as ai:
        done = ai.chat.completions.create(
            model="tiny", messages=HELLO, n=2, logprobs=True, top_logprobs=4
        )
    for choice in done.choices:
        assert choice.logprobs is not None and choice.logprobs.content


def test_the_choices_of_a_prompt_are_scored_together(
    ai: openai.OpenAI, client: httpx.Client
) -> None:
    before = client.get("/health/ready").json()["steps"]
    done = ai.completions.create(model="tiny", prompt="hello", n=4, temperature=1, logprobs=0)
    steps = client.get("/health/ready").json()["steps"] - before
    scores = [choice.logprobs.tokens or [] for choice in done.choices if choice.logprobs]
    longest = max(map(len, scores))
    assert longest < steps <= 2 * (longest + 2)  # a search, and one scoring of all


def test_prompts_are_answered(ai: openai.OpenAI) -> None:
    done = ai.completions.create(model="tiny", prompt=["hello", "how are you"], n=2, max_tokens=16)
    assert [choice.index for choice in done.choices] == [0, 1, 2, 3]
    assert done.choices[0].text == done.choices[2].text == REPLY
    assert (done.object, done.choices[0].finish_reason) == ("text_completion", "stop")


def test_a_prompt_is_streamed(ai: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    with ai.completions.create(
        model="tiny", prompt="hello", stream=True, stream_options=options
    ) as stream:
        *chunks, last = stream
    assert "".join(chunk.choices[0].text for chunk in chunks) == REPLY
    assert last.usage is not None and last.usage.total_tokens > 0


def test_a_completion_has_logprobs(ai: openai.OpenAI) -> None:
    scores = ai.completions.create(model="tiny", prompt="hello", logprobs=2).choices[0].logprobs
    assert scores is not None and scores.tokens and scores.token_logprobs and scores.text_offset
    assert "".join(scores.tokens) == REPLY
    np.testing.assert_allclose(scores.token_logprobs, math.log(0.9), atol=1e-5)
    ends = np.cumsum([0, *map(len, scores.tokens)])[:-1]
    assert scores.text_offset == ends.tolist()
    assert [len(each) for each in scores.top_logprobs or []] == [2] * len(scores.tokens)


@pytest.mark.parametrize(
    ("wishes", "param"),
    [
        ({"prompt": []}, "prompt"),
        ({"prompt": ["hello", " "]}, "prompt.1"),
        ({"prompt": [1, 2]}, "prompt.0"),
        ({"prompt": ["hello"] * 2, "stream": True}, "prompt"),
        ({"prompt": "hello", "echo": True}, "echo"),
        ({"prompt": "hello", "suffix": "x"}, "suffix"),
        ({"prompt": "hello", "best_of": 3}, "best_of"),
    ],
    ids=str,
)
def test_a_prompt_that_cannot_be_answered_is_refused(
    ai: openai.OpenAI, wishes: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ai.completions.create(**{"model": "tiny", **wishes})
    assert caught.value.param == param


def test_the_time_of_a_request_includes_all_its_logprobs(
    serve: Serve, tokenizer: Tokenizer
) -> None:
    class SlowScoring(TableEngine):
        def step(
            self, sources: Int32, tokens: Int32, top_k: int, wanted: Int32 | None = None
        ) -> StepResult:
            if wanted is not None and (tokens == BOS_ID).all():
                time.sleep(0.3)
            return super().step(sources, tokens, top_k, wanted)

    engine = SlowScoring(chain(tokenizer.target_vocab_size, BOS_ID, EOS_ID))
    settings = Settings(request_timeout_seconds=0.5)
    with serve(engine, settings) as client, client_of(client, max_retries=0) as ai:
        with pytest.raises(openai.InternalServerError) as caught:
            ai.completions.create(model="tiny", prompt=["hello"] * 2, logprobs=1)
        assert caught.value.code == "deadline_exceeded"
