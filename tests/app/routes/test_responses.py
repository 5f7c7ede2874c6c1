"""OpenAI's Responses API, asked by OpenAI's own client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent

from app.settings import Settings
from model.tokenizer import BOS_ID, EOS_ID, Tokenizer
from tests.app.fakes import FALLBACK, REPLY, Serve, SteppedEngine, chain, loop
from tests.app.routes.test_openai import client_of
from tests.engines import TableEngine


@pytest.fixture(scope="module")
def ai(client: httpx.Client) -> Iterator[openai.OpenAI]:
    """OpenAI's client of a server that says `REPLY` to everything."""
    with client_of(client) as found:
        yield found


def test_a_message_is_answered(ai: openai.OpenAI, tokenizer: Tokenizer) -> None:
    done = ai.responses.create(model="tiny", input="how are you")
    assert (done.output_text, done.status, done.error) == (REPLY, "completed", None)
    assert (done.object, done.model) == ("response", "tiny")
    (message,) = done.output
    assert message.type == "message"
    assert (message.role, message.status) == ("assistant", "completed")
    assert done.usage is not None
    read, said = len(tokenizer.source_ids("how are you")), len(tokenizer.target_ids(REPLY))
    usage = (done.usage.input_tokens, done.usage.output_tokens, done.usage.total_tokens)
    assert usage == (read, said, read + said)


def test_a_dialogue_goes_on_with_its_own_output(ai: openai.OpenAI, tokenizer: Tokenizer) -> None:
    first = ai.responses.create(model="tiny", input=[{"role": "user", "content": "hello there"}])
    dialogue: list[Any] = [
        {"type": "message", "role": "user", "content": "hello there"},
        *first.output,
        {"role": "user", "content": [{"type": "input_text", "text": "how are you"}]},
    ]
    done = ai.responses.create(model="tiny", input=dialogue)
    turns = ["hello there", REPLY, "how are you"]
    assert done.usage is not None
    assert done.usage.input_tokens == len(tokenizer.source_ids(turns))


def test_a_reply_that_is_cut_is_incomplete(ai: openai.OpenAI) -> None:
    done = ai.responses.create(model="tiny", input="hello", max_output_tokens=1)
    assert (done.output_text, done.status) == (REPLY.split()[0], "incomplete")
    assert done.incomplete_details is not None
    assert done.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(("tokens", "end"), [(None, "completed"), (1, "incomplete")])
def test_a_stream_is_the_same_reply_in_parts(
    ai: openai.OpenAI, tokens: int | None, end: str
) -> None:
    whole = ai.responses.create(model="tiny", input="hello", max_output_tokens=tokens)
    parts, kinds, numbers = list[str](), list[str](), list[int]()
    last: Response | None = None
    with ai.responses.create(
        model="tiny", input="hello", max_output_tokens=tokens, stream=True
    ) as stream:
        for event in stream:
            kinds.append(event.type.removeprefix("response."))
            numbers.append(event.sequence_number)
            if event.type == "response.output_text.delta":
                parts.append(event.delta)
            elif event.type in ("response.completed", "response.incomplete"):
                last = event.response
    assert "".join(parts) == whole.output_text
    assert numbers == list(range(len(kinds)))
    before = ["created", "in_progress", "output_item.added", "content_part.added"]
    after = ["output_text.done", "content_part.done", "output_item.done", end]
    assert kinds == [*before, *["output_text.delta"] * len(parts), *after]
    assert last is not None
    assert (last.status, last.output_text) == (whole.status, whole.output_text)
    assert last.usage == whole.usage


def test_the_clients_own_stream_helper_reads_it(ai: openai.OpenAI) -> None:
    with ai.responses.stream(model="tiny", input="hello") as stream:
        assert stream.get_final_response().output_text == REPLY


def test_fields_that_change_nothing_are_accepted(ai: openai.OpenAI) -> None:
    done = ai.responses.create(
        model="tiny",
        input="hello",
        instructions="",
        metadata={"a": "b"},
        reasoning={"effort": "none", "summary": None},
        store=False,
        text={"format": {"type": "text"}, "verbosity": None},
        tools=[],
        tool_choice="auto",
        truncation="auto",
        user="me",
    )
    assert done.output_text == REPLY


@pytest.mark.parametrize(
    ("wishes", "param"),
    [
        ({"instructions": "be kind"}, "instructions"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"text": {"format": {"type": "json_object"}}}, "text"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"temperature": 2.5}, "temperature"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": [{"role": "system", "content": "be kind"}]}, "input.0.role"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0"),
        ({"input": [{"role": "user", "content": "hello"}, {"type": "reasoning"}]}, "input.1"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input.0.content.0",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused(
    ai: openai.OpenAI, wishes: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ai.responses.create(**{"model": "tiny", "input": "hello", **wishes})
    assert (caught.value.param, caught.value.code) == (param, "invalid_input")


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"instructions": "be kind"}, "SEQ2SEQ_IGNORE_SYSTEM_MESSAGES=true"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "nothing is stored"),
    ],
)
def test_what_is_refused_is_told_how_to_go_on(
    ai: openai.OpenAI, wishes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=reason):
        ai.responses.create(**{"model": "tiny", "input": "hello", **wishes})


def test_instructions_may_be_ignored(serve: Serve, table_engine: TableEngine) -> None:
    instructed: list[Any] = [
        {"role": role, "content": f"{role} says hello"} for role in ("system", "developer", "user")
    ]
    settings = Settings(ignore_system_messages=True)
    with serve(table_engine, settings) as client, client_of(client) as ai:
        alone = ai.responses.create(model="tiny", input="user says hello")
        done = ai.responses.create(model="tiny", input=instructed, instructions="be kind")
        chat = ai.chat.completions.create(model="tiny", messages=instructed)
        with pytest.raises(openai.BadRequestError, match="at least one user message"):
            ai.chat.completions.create(model="tiny", messages=instructed[:1])
    assert done.usage == alone.usage
    assert chat.usage is not None and alone.usage is not None
    assert chat.usage.prompt_tokens == alone.usage.input_tokens


def test_an_unknown_model_is_not_found(ai: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        ai.responses.create(model="other", input="hello")


def test_parts_are_streamed_while_the_model_works(serve: Serve, tokenizer: Tokenizer) -> None:
    pieces = tokenizer.target_ids(REPLY)
    engine = SteppedEngine(chain(tokenizer.target_vocab_size, BOS_ID, *pieces, EOS_ID))
    with serve(engine) as client, client_of(client) as ai:
        engine.go()
        with ai.responses.create(model="tiny", input="hello", stream=True) as stream:
            told = ""
            while told != tokenizer.target_text(pieces[:1]):
                told += delta_of(next(stream))
            engine.go(len(pieces))
            assert told + "".join(map(delta_of, stream)) == REPLY


def test_an_error_ends_the_stream(serve: Serve, tokenizer: Tokenizer) -> None:
    engine = SteppedEngine(loop(tokenizer.target_vocab_size, 7))
    with serve(engine) as client, client_of(client) as ai:
        engine.go()
        with ai.responses.create(model="tiny", input="hello", stream=True) as stream:
            while not delta_of(next(stream)):
                pass
            engine.failure = MemoryError("a secret")
            engine.go()
            *_, last = stream
    assert last.type == "error"
    assert (last.code, last.param) == ("engine_failed", None)
    assert "the model failed" in last.message


def test_a_model_says_that_it_does_not_know(unsure_client: httpx.Client) -> None:
    with client_of(unsure_client) as ai:
        done = ai.responses.create(model="tiny", input="xyzzy")
        with ai.responses.create(model="tiny", input="xyzzy", stream=True) as stream:
            deltas = "".join(map(delta_of, stream))
    assert (done.output_text, deltas) == (FALLBACK, FALLBACK)
    assert done.output[0].model_dump()["is_fallback"] is True


def delta_of(event: ResponseStreamEvent) -> str:
    return event.delta if event.type == "response.output_text.delta" else ""
