"""Bodies of `POST /reply`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model
from pydantic.fields import FieldInfo

from model.config import Document, SearchOptions
from model.search.options import RequestOptions


class _Strict(BaseModel):
    """No unknown fields, no conversion between types."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Turn(_Strict):
    """One turn of a dialogue. Only its position matters to the model, not its role."""

    role: Literal["user", "assistant"] = Field(
        description="the models here take no instructions: `system` is refused"
    )
    content: str


def _kind_of(value: Any) -> str:
    return "<text>" if isinstance(value, str) else "<turn>"


Message = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[Turn, Tag("<turn>")], Discriminator(_kind_of)
]


def _kind_of_item(value: Any) -> str:
    return "<text>" if isinstance(value, str) else "<dialogue>"


BatchItem = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[list[Message], Tag("<dialogue>")],
    Discriminator(_kind_of_item),
]


class _Messages(_Strict):
    """What is answered, and by whom."""

    model: str | None = Field(
        None, description="name of the model; without it the server's default model answers"
    )
    message: str | None = Field(None, description="one message", examples=["How are you?"])
    messages: list[Message] | None = Field(
        None, description="a dialogue, oldest turn first; the model answers the last turn"
    )
    batch: list[BatchItem] | None = Field(
        None,
        description="independent messages, or dialogues, which are answered together in one answer",
    )


def _optional(field: FieldInfo) -> Any:
    """Returns type and field of an option that a body may leave out, with the bounds of `field`.
    What is a tuple in a document is a list in JSON."""
    kind: Any = field.annotation
    if get_origin(kind) is tuple:
        kind = list[get_args(kind)[0]]  # type: ignore[misc]
    bounded: Any = Annotated[kind, *field.metadata] if field.metadata else kind
    return bounded | None, Field(None, description=field.description)


_OPTIONS: dict[str, Any] = {
    name: _optional(field)
    for document in (RequestOptions, SearchOptions)
    for name, field in document.model_fields.items()
}

#: The options of a search, all of which a body may leave out.
_Options: Any = create_model("_Options", __base__=_Strict, **_OPTIONS)


class ReplyRequest(_Options, _Messages):
    """A message, as `message`, `messages` or `batch`, and options. The model has defaults for
    these."""

    with_attention: bool = Field(False, description="return the attention weights")
    stream: bool = Field(False, description="send the reply as events while it is made")

    def given(self, document: type[Document]) -> dict[str, Any]:
        """Returns the options that the body gives, by the fields of `document`."""
        names = self.model_fields_set & document.model_fields.keys()
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


class _Checked(BaseModel):
    """How sure the model is; only of one that was trained with a `fallback_reply`."""

    confidence: float | None = Field(
        None,
        description="from 0 to 1, in the model's reply: how similar the message is to a known "
        "question that has it",
    )
    is_fallback: bool | None = Field(
        None, description="whether the text is the `fallback_reply`, since confidence is too low"
    )


class Candidate(_Checked):
    """One possible reply."""

    text: str
    score: float = Field(description="log-probability after the length penalty, in nats")
    tokens: list[str] = Field(
        description="its pieces, as the tokenizer splits it; none of a fallback"
    )
    attention_weights: list[list[float]] | None = Field(
        None, description="of each piece, and of the end, on each piece of `source_tokens`"
    )


class Usage(BaseModel):
    """The size of the request and of its answer."""

    prompt_tokens: int = Field(description="tokens of the source, its end included")
    prompt_tokens_dropped: int = Field(
        description="oldest tokens, which the model did not read because the message is too long"
    )
    turns_dropped: int = Field(description="oldest turns, which the model did not read at all")
    completion_tokens: int = Field(description="tokens of all candidates together")


class BatchAnswer(BaseModel):
    """The answer to a `batch`."""

    replies: list[ReplyAnswer] = Field(description="one for each item of the batch, in its order")
    model: str = Field(description="name of the model that answered")
    latency_ms: float = Field(description="time within the server")


class Delta(BaseModel):
    """The next part of a streamed reply."""

    text: str


class ReplyAnswer(_Checked):
    """The best reply, and all candidates, best first."""

    reply: str
    candidates: list[Candidate]
    source_tokens: list[str] | None = Field(
        None, description="pieces that the model read; only with `with_attention`"
    )
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
    "batch": {
        "summary": "Independent messages",
        "value": {"batch": ["How are you?", "What is your name?"]},
    },
    "candidates": {
        "summary": "Three candidates of a beam",
        "value": {"message": "How are you?", "decoding": "beam", "beam_size": 4, "n_best": 3},
    },
    "draws": {
        "summary": "Three draws",
        "value": {
            "message": "How are you?",
            "decoding": "sample",
            "n_best": 3,
            "temperature": 0.7,
            "seed": 1,
        },
    },
}
