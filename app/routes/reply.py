"""`POST /reply`: a message, or a dialogue, and what the model says to it."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from app.dependencies import Limits, Model, unless_hung_up
from app.errors import InvalidField
from app.limits import search_options, source_ids_of
from app.registry import ServedModel
from app.scheduler import Hypotheses
from app.schemas.error import ErrorAnswer
from app.schemas.reply import EXAMPLES, Candidate, ReplyAnswer, ReplyRequest, Usage

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        413: "The body is too large.",
        422: "The request is wrong; `field` says where.",
        503: "Too many requests wait already; `Retry-After` says when to try again.",
        504: "No answer in time.",
    }.items()
}

router = APIRouter(tags=["reply"])


@router.post("/reply", responses=ERRORS)
async def reply(
    request: Request,
    body: Annotated[ReplyRequest, Body(openapi_examples=EXAMPLES)],
    model: Model,
    limits: Limits,
) -> ReplyAnswer:
    """Answers a message, or the last turn of a dialogue."""
    started = time.perf_counter()
    turns, fields = _turns(body)
    source_ids = source_ids_of(turns, fields, model.tokenizer, limits)
    options = search_options(
        model.config.search,
        limits,
        decoding=body.decoding,
        beam_size=body.beam_size,
        length_penalty=body.length_penalty,
        n_best=body.n_best,
        max_tokens=body.max_tokens,
    )
    hypotheses = await unless_hung_up(
        request,
        model.scheduler.submit(source_ids, options, timeout_seconds=limits.request_timeout_seconds),
    )
    return _answer(model, len(source_ids), hypotheses, started)


def _turns(body: ReplyRequest) -> tuple[list[str], list[str]]:
    """What was said, oldest first, and the field that each turn stands in."""
    if body.message is not None and body.messages is not None:
        raise InvalidField("messages", "send either message or messages, not both")
    if body.message is not None:
        return [body.message], ["message"]
    if not body.messages:
        raise InvalidField("message", "send a message, or messages with at least one turn")
    turns = [turn if isinstance(turn, str) else turn.content for turn in body.messages]
    return turns, [f"messages.{place}" for place in range(len(turns))]


def _answer(
    model: ServedModel, prompt_tokens: int, hypotheses: Hypotheses, started: float
) -> ReplyAnswer:
    candidates = [
        Candidate(
            text=model.tokenizer.target_text(hypothesis.tokens),
            score=hypothesis.score,
            tokens=model.tokenizer.target_pieces(hypothesis.tokens),
        )
        for hypothesis in hypotheses
    ]
    return ReplyAnswer(
        reply=candidates[0].text,
        candidates=candidates,
        model=model.config.name,
        usage=Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=sum(len(hypothesis.tokens) for hypothesis in hypotheses),
        ),
        finish_reason=hypotheses[0].finish_reason,
        latency_ms=round((time.perf_counter() - started) * 1000, 3),
    )
