"""Server-sent events: an answer that is told while it is made."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from app.dependencies import unless_hung_up
from app.errors import to_error_answer, to_fault
from model.errors import Seq2SeqError

EVENT_STREAM = "text/event-stream"

#: Proxies must pass each event on at once.
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Events = AsyncGenerator[bytes, None]


def event(name: str, data: BaseModel) -> bytes:
    """One event; JSON has no line breaks of its own."""
    return f"event: {name}\ndata: {data.model_dump_json(exclude_none=True)}\n\n".encode()


async def event_stream(request: Request, events: Events) -> StreamingResponse:
    """Answers `request` with `events`. What goes wrong before the first of them is raised, so that
    it gets its own status; later it becomes an event `error`, the last one."""
    first = await unless_hung_up(request, anext(events))
    return StreamingResponse(_all(first, events), media_type=EVENT_STREAM, headers=_HEADERS)


async def _all(first: bytes, events: Events) -> Events:
    try:
        yield first
        async for each in events:
            yield each
    except Seq2SeqError as error:
        yield event("error", to_error_answer(to_fault(error)))
    finally:
        await events.aclose()
