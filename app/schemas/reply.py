"""Bodies of `POST /reply`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class _Strict(BaseModel):
    """No unknown fields, no conversion between types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Turn(_Strict):
    """One turn of a dialogue. Its place, not its role, says what the model makes of it."""

    role: Literal["user", "assistant"] = Field(
        description="the models here take no instructions: `system` is refused"
    )
    content: str


def _kind_of(value: Any) -> str:
    return "<text>" if isinstance(value, str) else "<turn>"


Message = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[Turn, Tag("<turn>")], Discriminator(_kind_of)
]


class ReplyRequest(_Strict):
    """What to answer: either `message` or `messages`. The rest is optional; what is left out comes
    from the model."""

    message: str | None = Field(None, description="one message", examples=["How are you?"])
    messages: list[Message] | None = Field(
        None, description="a dialogue, oldest turn first; its last turn is answered"
    )
    decoding: Literal["greedy", "beam"] | None = Field(
        None, description="greedy takes the likeliest token each time, beam looks further"
    )
    beam_size: int | None = Field(None, ge=1, description="hypotheses followed at a time")
    length_penalty: float | None = Field(
        None, ge=0.0, le=5.0, description="0 prefers short replies, more prefers longer ones"
    )
    n_best: int | None = Field(
        None, ge=1, description="candidates to return; widens the beam if no beam_size is given"
    )
    max_tokens: int | None = Field(None, ge=1, description="tokens after which a reply is cut")


class Candidate(BaseModel):
    """One possible reply."""

    text: str
    score: float = Field(description="log-probability after the length penalty, in nats")
    tokens: list[str] = Field(description="its pieces, as the tokenizer cut it")


class Usage(BaseModel):
    """What the request cost."""

    prompt_tokens: int = Field(description="tokens of the source, its end included")
    completion_tokens: int = Field(description="tokens of all candidates together")


class ReplyAnswer(BaseModel):
    """The best reply, and the candidates that were asked for, best first."""

    reply: str
    candidates: list[Candidate]
    model: str = Field(description="name of the model that answered")
    usage: Usage
    finish_reason: Literal["stop", "length"] = Field(
        description="length: the reply was cut at max_tokens"
    )
    latency_ms: float = Field(description="time within the server")


EXAMPLES: dict[str, Any] = {
    "message": {"summary": "One message", "value": {"message": "How are you?"}},
    "dialogue": {
        "summary": "A dialogue",
        "value": {
            "messages": [
                {"role": "user", "content": "Where were you?"},
                {"role": "assistant", "content": "At home."},
                {"role": "user", "content": "All day?"},
            ]
        },
    },
    "candidates": {
        "summary": "Three candidates of a beam",
        "value": {"message": "How are you?", "decoding": "beam", "beam_size": 4, "n_best": 3},
    },
}
