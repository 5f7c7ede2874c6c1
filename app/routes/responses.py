"""`/v1/responses`: OpenAI's Responses API, answered by the served models. Nothing is stored."""

from __future__ import annotations

import json
import time
import uuid
from itertools import count
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.completions import Choice, CompletionBatch
from app.http_errors import Fault, openai_error
from app.routes.openai import RESPONSES, record_batch
from app.routing import JsonRoute, cancel_on_disconnect, charge, models_of, settings_of
from app.schemas.openai import CompletionUsage
from app.schemas.responses import (
    IncompleteDetails,
    ModelResponse,
    OutputMessage,
    OutputText,
    ResponseRequest,
    ResponseUsage,
    Status,
)
from app.streaming import EventStream, SendEvent, encode_event

router = APIRouter(prefix="/v1", tags=["openai"], route_class=JsonRoute)


@router.post("/responses", responses=RESPONSES, response_model=ModelResponse)
async def create_response(request: Request, body: ResponseRequest) -> Response:
    """Answers a message, or the last turn of a dialogue."""
    model = await models_of(request).get(body.model)
    batch = CompletionBatch.from_body(body, model, settings_of(request), None)
    if isinstance(body.input, str):
        batch.add([body.input], ["input"])
    else:
        batch.add_dialogue(body.input, "input")
    await charge(request, batch.searches)
    answer = _Answer(body, model.config.name)
    if not body.stream:
        (choice,), usage = await cancel_on_disconnect(request.receive, batch.choices())
        record_batch(request, batch, usage)
        content = answer.ended(choice, usage).model_dump_json()
        return Response(content, media_type="application/json")

    async def stream(send_event: SendEvent) -> None:
        record_batch(request, batch, await _stream(batch, answer, send_event))

    return EventStream(stream, answer.error_event)


async def _stream(
    batch: CompletionBatch, answer: _Answer, send_event: SendEvent
) -> CompletionUsage:
    """Streams the reply and returns its usage."""

    def send(kind: str, **fields: Any) -> None:
        send_event(answer.event(f"response.{kind}", **fields))

    place = {"output_index": 0, "item_id": answer.message_id}
    part = {**place, "content_index": 0}
    has_begun = False

    def begin() -> None:
        nonlocal has_begun
        has_begun = True
        send("created", response=answer.begun())
        send("in_progress", response=answer.begun())
        send("output_item.added", output_index=0, item=answer.message("", "in_progress"))
        send("content_part.added", **part, part=OutputText(text=""))

    def send_text(text: str) -> None:
        if not has_begun:
            begin()
        send("output_text.delta", **part, delta=text, logprobs=[])

    (choice,), usage = await batch.stream_choices(send_text)
    if not has_begun:  # the reply is empty
        begin()
    ended = answer.ended(choice, usage)
    (message,) = ended.output
    (content,) = message.content
    send("output_text.done", **part, text=content.text, logprobs=[])
    send("content_part.done", **part, part=content)
    send("output_item.done", output_index=0, item=message)
    send(ended.status, response=ended)
    return usage


class _Answer:
    """The answer to a request, and the events that stream it.

    Attributes:
        message_id: id of the reply.
    """

    def __init__(self, body: ResponseRequest, model: str) -> None:
        self.message_id = f"msg_{uuid.uuid4().hex}"
        self._numbers = count()
        self._head: dict[str, Any] = {
            "id": f"resp_{uuid.uuid4().hex}",
            "created_at": int(time.time()),
            "model": model,
            "max_output_tokens": body.max_output_tokens,
            "temperature": body.temperature,
            "top_p": body.top_p,
        }

    def begun(self) -> ModelResponse:
        """Builds the response before it has text."""
        return ModelResponse(**self._head, status="in_progress", output=[])

    def ended(self, choice: Choice, usage: CompletionUsage) -> ModelResponse:
        """Builds the whole response."""
        is_cut = choice.finish_reason == "length"
        status: Status = "incomplete" if is_cut else "completed"
        message = self.message(
            choice.text,
            status,
            confidence=choice.confidence,
            is_fallback=choice.is_fallback,
        )
        return ModelResponse(
            **self._head,
            status=status,
            incomplete_details=IncompleteDetails() if is_cut else None,
            output=[message],
            usage=ResponseUsage(
                input_tokens=usage.prompt_tokens,
                input_tokens_dropped=usage.prompt_tokens_dropped,
                turns_dropped=usage.turns_dropped,
                output_tokens=usage.completion_tokens,
                total_tokens=usage.total_tokens,
            ),
        )

    def message(self, text: str, status: Status, **checked: Any) -> OutputMessage:
        """Builds the reply, which has no content while its text is empty and in progress."""
        content = [] if status == "in_progress" else [OutputText(text=text)]
        return OutputMessage(id=self.message_id, status=status, content=content, **checked)

    def event(self, kind: str, **fields: Any) -> bytes:
        """Returns the next event as bytes."""
        data = {"type": kind, "sequence_number": next(self._numbers), **fields}
        return encode_event(json.dumps(data, default=_plain, ensure_ascii=False), kind)

    def error_event(self, fault: Fault) -> bytes:
        """Returns an error as the last event."""
        error = openai_error(fault).error
        return self.event("error", code=error.code, message=error.message, param=error.param)


def _plain(value: BaseModel) -> dict[str, Any]:
    return value.model_dump(mode="json")
