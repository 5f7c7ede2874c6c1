"""`/v1/...`: OpenAI's API, answered by the served models."""

from __future__ import annotations

import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.completions import Choice, CompletionBatch
from app.errors import InvalidField, UnknownModel
from app.http_errors import openai_error
from app.routing import JsonRoute, cancel_on_disconnect, charge, models_of, settings_of
from app.schemas.error import error_responses
from app.schemas.openai import (
    AssistantMessage,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatDelta,
    ChatLogprobs,
    ChatRequest,
    ChunkChoice,
    Completion,
    CompletionRequest,
    CompletionUsage,
    ContentLogprob,
    Model,
    ModelList,
    OpenAIError,
    TextChoice,
    TextLogprobs,
    TopLogprob,
)
from app.streaming import EVENT_STREAM, EventStream, SendEvent, encode_event
from app.telemetry import record_usage
from model.config import ModelConfig
from model.search.requests import TokenLogprob
from model.tokenizer import Tokenizer

_DONE = encode_event("[DONE]")

_ERRORS = error_responses(
    OpenAIError,
    {400: "The request is invalid; `param` says where.", 404: "There is no model of this name."},
)
RESPONSES: dict[int | str, dict[str, Any]] = {200: {"content": {EVENT_STREAM: {}}}, **_ERRORS}

router = APIRouter(prefix="/v1", tags=["openai"], route_class=JsonRoute)
models_router = APIRouter(prefix="/v1", tags=["openai"])


@models_router.get("/models")
async def list_models(request: Request) -> ModelList:
    """Lists the models, the default one first."""
    configs = models_of(request).configs()
    return ModelList(data=[_model(config, request) for config in configs])


@models_router.get("/models/{name:path}", responses={key: _ERRORS[key] for key in (404, "default")})
async def get_model(request: Request, name: str) -> Model:
    """Describes a model."""
    for config in models_of(request).configs():
        if config.name == name:
            return _model(config, request)
    raise UnknownModel(name)


@router.post("/chat/completions", responses=RESPONSES, response_model=ChatCompletion)
async def chat_completions(request: Request, body: ChatRequest) -> Response:
    """Answers the last turn of a dialogue."""
    if body.top_logprobs and not body.logprobs:
        raise InvalidField("top_logprobs", "needs logprobs")
    top = body.top_logprobs or 0 if body.logprobs else None
    model = await models_of(request).get(body.model)
    batch = CompletionBatch.from_body(body, model, settings_of(request), top)
    batch.add_dialogue(body.messages, "messages")
    return await _respond(request, body, batch, _ChatFormat(model.config.name, model.tokenizer))


@router.post("/completions", responses=RESPONSES, response_model=Completion)
async def completions(request: Request, body: CompletionRequest) -> Response:
    """Answers each prompt."""
    limits = settings_of(request)
    model = await models_of(request).get(body.model)
    batch = CompletionBatch.from_body(body, model, limits, body.logprobs)
    prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
    if not 1 <= len(prompts) <= limits.max_batch:
        raise InvalidField("prompt", f"must be 1 to {limits.max_batch} texts on this server")
    if body.stream and len(prompts) > 1:
        raise InvalidField("prompt", "must be a single text if the response is streamed")
    for index, prompt in enumerate(prompts):
        batch.add([prompt], ["prompt" if isinstance(body.prompt, str) else f"prompt.{index}"])
    return await _respond(request, body, batch, _TextFormat(model.config.name, model.tokenizer))


async def _respond(
    request: Request,
    body: ChatRequest | CompletionRequest,
    batch: CompletionBatch,
    response_format: _ResponseFormat,
) -> Response:
    await charge(request, batch.searches, 1 if batch.top_logprobs is None else 2)
    if not body.stream:
        choices, usage = await cancel_on_disconnect(request.receive, batch.choices())
        record_batch(request, batch, usage)
        whole = response_format.whole(choices, usage)
        content = whole.model_dump_json()  # with nulls, as OpenAI sends them
        return Response(content, media_type="application/json")
    includes_usage = bool(body.stream_options and body.stream_options.include_usage)

    async def stream(send_event: SendEvent) -> None:
        record_batch(
            request, batch, await _stream(batch, response_format, includes_usage, send_event)
        )

    return EventStream(stream, lambda fault: _event(openai_error(fault)))


async def _stream(
    batch: CompletionBatch,
    response_format: _ResponseFormat,
    includes_usage: bool,
    send_event: SendEvent,
) -> CompletionUsage:
    """Streams the first choice and sends the others whole, or, with log-probabilities, sends all of
    them whole; then sends the usage and returns it."""
    started: set[int] = set()

    def send(
        index: int,
        text: str,
        scores: Sequence[TokenLogprob] | None = None,
        ended: Choice | None = None,
    ) -> None:
        part = _Part(index, text, scores, ended, is_first=index not in started)
        started.add(index)
        send_event(_event(response_format.chunk(part)))

    if batch.top_logprobs is None:
        choices, usage = await batch.stream_choices(lambda text: send(0, text))
    else:
        choices, usage = await batch.choices()
    for index, choice in enumerate(choices):
        if index not in started:
            send(index, choice.text, choice.scores)
        send(index, "", ended=choice)
    if includes_usage:
        send_event(_event(response_format.usage_chunk(usage)))
    send_event(_DONE)
    return usage


def record_batch(request: Request, batch: CompletionBatch, usage: CompletionUsage) -> None:
    """Records what a request used, for logs and metrics."""
    record_usage(
        request.scope,
        batch.model.config.name,
        usage.prompt_tokens,
        usage.completion_tokens,
        is_truncated=bool(usage.prompt_tokens_dropped or usage.turns_dropped),
    )


@dataclass(frozen=True)
class _Part:
    """The next part of a choice.

    Attributes:
        index: index of the choice.
        text: its next text.
        scores: log-probabilities of the tokens of that text.
        ended: the choice, if this is its end.
        is_first: whether this is the first part of the choice.
    """

    index: int
    text: str
    scores: Sequence[TokenLogprob] | None = None
    ended: Choice | None = None
    is_first: bool = True


class _ResponseFormat(ABC):
    """Rendering of choices in one of the two formats.

    Attributes:
        prefix: prefix of the ids of responses.
        answer_type: type of a response that is not streamed.
        event_type: type of an event of a stream.
    """

    prefix: str
    answer_type: type[BaseModel]
    event_type: type[BaseModel]

    def __init__(self, model: str, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        name = f"{self.prefix}-{uuid.uuid4().hex}"
        self._head = {"id": name, "created": int(time.time()), "model": model}

    def whole(self, choices: Sequence[Choice], usage: CompletionUsage) -> BaseModel:
        """Builds a response that is not streamed."""
        parts = [_Part(index, each.text, each.scores, each) for index, each in enumerate(choices)]
        whole = [self._whole(part) for part in parts]
        return self.answer_type(**self._head, choices=whole, usage=usage)

    def chunk(self, part: _Part) -> BaseModel:
        """Builds an event: the next part of a choice."""
        return self.event_type(**self._head, choices=[self._chunk(part)])

    def usage_chunk(self, usage: CompletionUsage) -> BaseModel:
        """Builds the last event of a stream."""
        return self.event_type(**self._head, choices=[], usage=usage)

    @abstractmethod
    def _whole(self, part: _Part) -> BaseModel: ...

    @abstractmethod
    def _chunk(self, part: _Part) -> BaseModel: ...

    @abstractmethod
    def _logprobs(self, scores: Sequence[TokenLogprob]) -> BaseModel: ...

    def _text_of(self, token: int, place: int) -> str:
        """Returns the text of a token at a place in a reply, which begins without a space."""
        text = self._tokenizer.target_token(token)
        return text if place else text.removeprefix(" ")

    def _bytes_of(self, token: int, place: int) -> bytes:
        """Returns the bytes of a token at a place in a reply."""
        data = self._tokenizer.target_bytes(token)
        return data if place else data.removeprefix(b" ")

    def _rest(self, part: _Part) -> dict[str, Any]:
        """Returns the fields of a choice besides its text, including its end, if it has ended."""
        names = ("finish_reason", "confidence", "is_fallback")
        return {
            "index": part.index,
            "logprobs": None if part.scores is None else self._logprobs(part.scores),
            "finish_reason": None,
            **{name: getattr(part.ended, name) for name in names if part.ended},
        }


class _ChatFormat(_ResponseFormat):
    """Format of chat completions."""

    prefix, answer_type, event_type = "chatcmpl", ChatCompletion, ChatChunk

    def _whole(self, part: _Part) -> BaseModel:
        message = AssistantMessage(content=part.text)
        return ChatChoice(message=message, **self._rest(part))

    def _chunk(self, part: _Part) -> BaseModel:
        delta = ChatDelta(role="assistant") if part.is_first else ChatDelta()
        if part.text or part.is_first:
            delta["content"] = part.text
        return ChunkChoice(delta=delta, **self._rest(part))

    def _logprobs(self, scores: Sequence[TokenLogprob]) -> ChatLogprobs:
        return ChatLogprobs(
            content=[
                ContentLogprob(
                    **self._token(score.token, score.logprob, place),
                    top_logprobs=[
                        TopLogprob(**self._token(token, logprob, place))
                        for token, logprob in score.likeliest
                    ],
                )
                for place, score in enumerate(scores)
            ]
        )

    def _token(self, token: int, logprob: float, place: int) -> dict[str, Any]:
        data = self._bytes_of(token, place)
        return {"token": self._text_of(token, place), "logprob": logprob, "bytes": list(data)}


class _TextFormat(_ResponseFormat):
    """Format of text completions."""

    prefix, answer_type, event_type = "cmpl", Completion, Completion

    def _whole(self, part: _Part) -> BaseModel:
        return TextChoice(text=part.text, **self._rest(part))

    _chunk = _whole

    def _logprobs(self, scores: Sequence[TokenLogprob]) -> TextLogprobs:
        data = [self._bytes_of(score.token, place) for place, score in enumerate(scores)]
        starts = accumulate(data[:-1], initial=b"")
        return TextLogprobs(
            tokens=[self._text_of(score.token, place) for place, score in enumerate(scores)],
            token_logprobs=[score.logprob for score in scores],
            top_logprobs=[
                {self._text_of(token, place): logprob for token, logprob in score.likeliest}
                for place, score in enumerate(scores)
            ],
            text_offset=[len(start.decode(errors="ignore")) for start in starts][: len(data)],
        )


def _model(config: ModelConfig, request: Request) -> Model:
    return Model(
        id=config.name,
        created=models_of(request).created,
        task=config.task,
        languages=list(config.languages),
        max_messages=settings_of(request).max_messages,
    )


def _event(data: BaseModel) -> bytes:
    return encode_event(data.model_dump_json())
