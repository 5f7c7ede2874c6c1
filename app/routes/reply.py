"""`POST /reply`: the model's reply to a message or a dialogue."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Body, Request, Response

from app.decoding.messages import Hypotheses
from app.decoding.served_model import ServedModel
from app.errors import InvalidField
from app.http_errors import to_error_answer
from app.requests import (
    blocked_ids_of,
    prefix_ids_of,
    required_ids_of,
    search_options,
    source_of,
)
from app.routing import JsonRoute, cancel_on_disconnect, charge, models_of, settings_of
from app.schemas.error import ErrorAnswer, error_responses
from app.schemas.reply import (
    EXAMPLES,
    BatchAnswer,
    Candidate,
    Delta,
    Message,
    ReplyAnswer,
    ReplyRequest,
    Usage,
)
from app.settings import Settings
from app.streaming import EVENT_STREAM, EventStream, SendEvent, event
from app.telemetry import record_usage
from model.config import SearchOptions
from model.search.options import RequestOptions
from model.search.requests import Hypothesis, SearchRequest
from model.tokenizer import IncrementalDetokenizer, Source

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {EVENT_STREAM: {}}},
    **error_responses(
        ErrorAnswer,
        {
            404: "There is no model of this name.",
            422: "The request is invalid; `field` says where.",
        },
    ),
}

#: Turns, the oldest first, and the field of each.
_Dialogue = tuple[list[str], list[str]]


class _Prompt(NamedTuple):
    """The turns of a dialogue, their encoding, and the search for a reply."""

    turns: list[str]
    source: Source
    search: SearchRequest


router = APIRouter(tags=["reply"], route_class=JsonRoute)


@router.post("/reply", responses=RESPONSES, response_model=ReplyAnswer | BatchAnswer)
async def reply(
    request: Request, body: Annotated[ReplyRequest, Body(openapi_examples=EXAMPLES)]
) -> ReplyAnswer | BatchAnswer | Response:
    """Answers a message, the last turn of a dialogue, or each item of a batch."""
    started = time.perf_counter()
    model, limits = await models_of(request).get(body.model), settings_of(request)
    prompts = _prompts(body, model, limits)
    searches = [prompt.search for prompt in prompts]
    await charge(request, searches)
    if body.stream:
        return EventStream(
            partial(_stream, request, prompts[0], model, limits, started),
            lambda fault: event("error", to_error_answer(fault), with_nulls=True),
        )
    dialogues = [prompt.turns for prompt in prompts]
    work = model.answer_all(searches, dialogues, timeout_seconds=limits.request_timeout_seconds)
    found = await cancel_on_disconnect(request.receive, work)
    answers = [_answer(model, *each, started) for each in zip(prompts, found, strict=True)]
    _record(request, answers)
    if body.batch is None:
        return answers[0]
    return BatchAnswer(replies=answers, model=model.config.name, latency_ms=answers[-1].latency_ms)


def _record(request: Request, answers: Sequence[ReplyAnswer]) -> None:
    usages = [answer.usage for answer in answers]
    record_usage(
        request.scope,
        answers[0].model,
        sum(usage.prompt_tokens for usage in usages),
        sum(usage.completion_tokens for usage in usages),
        is_truncated=any(usage.prompt_tokens_dropped or usage.turns_dropped for usage in usages),
    )


async def _stream(
    request: Request,
    prompt: _Prompt,
    model: ServedModel,
    limits: Settings,
    started: float,
    send_event: SendEvent,
) -> None:
    """Streams the reply, then sends the complete answer."""
    text = IncrementalDetokenizer(model.tokenizer)

    def send_delta(further: str) -> None:
        if further:
            send_event(event("delta", Delta(text=further)))

    hypotheses = await model.answer(
        prompt.search,
        prompt.turns,
        timeout_seconds=limits.request_timeout_seconds,
        on_tokens=lambda tokens: send_delta(text.add(tokens)),
    )
    answer = _answer(model, prompt, hypotheses, started)
    _record(request, [answer])
    send_delta(text.finish(answer.reply))
    send_event(event("answer", answer))


def _prompts(body: ReplyRequest, model: ServedModel, limits: Settings) -> list[_Prompt]:
    """Encodes the dialogues of a body.

    Raises:
        InvalidField: if the model cannot encode a dialogue or does not support an option.
    """
    tokenizer, task = model.tokenizer, model.config.task
    encoded = [
        (turns, source_of(turns, fields, tokenizer, limits, task))
        for turns, fields in _dialogues(body, limits)
    ]
    return [
        _Prompt(turns, source, _search_request(body, turns, source.ids, model, limits))
        for turns, source in encoded
    ]


def _search_request(
    body: ReplyRequest,
    turns: Sequence[str],
    source_ids: list[int],
    model: ServedModel,
    limits: Settings,
) -> SearchRequest:
    request_options = RequestOptions(**body.given(RequestOptions))
    overrides = body.given(SearchOptions)
    words = tuple(overrides.pop("blocked_words", ()))
    options = search_options(
        model.config.search,
        limits,
        decoding=request_options.decoding,
        has_required_words=bool(request_options.required_words),
        can_rerank=model.reranker is not None,
        has_questions=model.questions is not None,
        blocked_words=words,
        **overrides,
    )
    tokenizer = model.tokenizer
    blocked = blocked_ids_of(words, turns, options, tokenizer, limits)
    prefix = prefix_ids_of(request_options.prefix, tokenizer, options.max_tokens, blocked)
    required = required_ids_of(
        request_options.required_words, tokenizer, limits, options, prefix, blocked
    )
    return SearchRequest(
        key=None,
        source_ids=source_ids,
        options=options,
        prefix_ids=prefix,
        blocked=blocked,
        required=required,
        with_attention=body.with_attention,
    )


def _dialogues(body: ReplyRequest, limits: Settings) -> Iterator[_Dialogue]:
    """Yields the dialogue of a body, or each dialogue of its batch."""
    if body.batch is None:
        yield _dialogue(body)
        return
    if body.message is not None or body.messages is not None or body.stream:
        raise InvalidField("batch", "cannot be combined with message, messages or stream")
    if not 1 <= len(body.batch) <= limits.max_batch:
        raise InvalidField("batch", f"must have 1 to {limits.max_batch} items on this server")
    for index, item in enumerate(body.batch):
        field = f"batch.{index}"
        yield ([item], [field]) if isinstance(item, str) else _turns_of(item, field)


def _dialogue(body: ReplyRequest) -> _Dialogue:
    if body.message is not None and body.messages is not None:
        raise InvalidField("messages", "send either message or messages, not both")
    if body.message is not None:
        return [body.message], ["message"]
    if not body.messages:
        raise InvalidField("message", "send a message, or messages with at least one turn")
    return _turns_of(body.messages, "messages")


def _turns_of(dialogue: Sequence[Message], field: str) -> _Dialogue:
    if not dialogue:
        raise InvalidField(field, "must have at least one turn")
    turns = [turn if isinstance(turn, str) else turn.content for turn in dialogue]
    return turns, [f"{field}.{index}" for index in range(len(turns))]


def _answer(
    model: ServedModel, prompt: _Prompt, hypotheses: Hypotheses, started: float
) -> ReplyAnswer:
    turns, source, search = prompt
    candidates = [_candidate(model, search, turns, each) for each in hypotheses]
    best = candidates[0]
    return ReplyAnswer(
        reply=best.text,
        confidence=best.confidence,
        is_fallback=best.is_fallback,
        candidates=candidates,
        source_tokens=(
            model.tokenizer.source_pieces(search.source_ids) if search.with_attention else None
        ),
        model=model.config.name,
        usage=Usage(
            prompt_tokens=len(source.ids),
            prompt_tokens_dropped=source.dropped_tokens,
            turns_dropped=source.dropped_turns,
            completion_tokens=sum(len(hypothesis.tokens) for hypothesis in hypotheses),
        ),
        finish_reason="stop" if best.is_fallback else hypotheses[0].finish_reason,
        latency_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def _candidate(
    model: ServedModel, search: SearchRequest, turns: Sequence[str], hypothesis: Hypothesis
) -> Candidate:
    """Returns a hypothesis as a candidate; for a fallback reply, without tokens and attention."""
    checked, weights = model.checked(search, turns, hypothesis), hypothesis.attention_weights
    return Candidate(
        text=checked.text,
        score=hypothesis.score,
        confidence=checked.confidence,
        is_fallback=checked.is_fallback,
        tokens=[] if checked.is_fallback else model.tokenizer.target_pieces(hypothesis.tokens),
        attention_weights=(
            None
            if weights is None or checked.is_fallback
            else weights.astype(float).round(4).tolist()  # 0.9982 in float32 has 15 digits
        ),
    )
