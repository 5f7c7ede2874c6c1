"""Bodies of `POST /reply`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model
from pydantic.fields import FieldInfo

from model.config import Document, SearchOptions
from model.search.options import RequestOptions
from model.search.requests import FinishReason


class _Strict(BaseModel):
    """Forbids unknown fields and type conversion."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Turn(_Strict):
    """One turn of a dialogue. Only its position matters to the model, not its role."""

    role: Literal["user", "assistant"] = Field(
        description="`system` is refused: the models take no instructions"
    )
    content: str


#: Tags of a value that is a text or something else: an error is about the one that was sent.
TEXT, OTHER = Tag("<text>"), Tag("<other>")
BY_KIND = Discriminator(lambda value: "<text>" if isinstance(value, str) else "<other>")

Message = Annotated[Annotated[str, TEXT] | Annotated[Turn, OTHER], BY_KIND]
BatchItem = Annotated[Annotated[str, TEXT] | Annotated[list[Message], OTHER], BY_KIND]


class _Messages(_Strict):
    """The messages to answer, and the model that answers them."""

    model: str | None = Field(
        None, description="name of the model; unset: the server's default model"
    )
    message: str | None = Field(None, description="a single message", examples=["How are you?"])
    messages: list[Message] | None = Field(
        None, description="a dialogue, oldest turn first; the model answers the last turn"
    )
    batch: list[BatchItem] | None = Field(
        None,
        description="independent messages or dialogues, answered together in one response",
    )


def _optional(field: FieldInfo) -> Any:
    """Returns type and field of an optional option, with the bounds of `field`. A tuple of a
    document becomes a list in JSON."""
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

#: The options of a search, all optional.
_Options: Any = create_model("_Options", __base__=_Strict, **_OPTIONS)


class ReplyRequest(_Options, _Messages):
    """A message, as `message`, `messages` or `batch`, and options, which default to the
    model's."""

    with_attention: bool = Field(False, description="return the attention weights")
    stream: bool = Field(False, description="stream the reply as events while it is generated")

    def given(self, document: type[Document]) -> dict[str, Any]:
        """Returns the options set in the body that are fields of `document`."""
        names = self.model_fields_set & document.model_fields.keys()
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}


def _is_none(value: Any) -> bool:
    return value is None


class ConfidenceFields(BaseModel):
    """Confidence of the model; only set if it was trained with a `fallback_reply`."""

    confidence: float | None = Field(
        None,
        exclude_if=_is_none,
        description="of the model's reply, 0 to 1: how similar the message is to a known "
        "question that has this reply",
    )
    is_fallback: bool | None = Field(
        None,
        exclude_if=_is_none,
        description="whether the text is the `fallback_reply`, because the confidence is too low",
    )


class Candidate(ConfidenceFields):
    """One possible reply."""

    text: str
    score: float = Field(description="log-probability after the length penalty, in nats")
    tokens: list[str] = Field(description="pieces of the text; empty for a fallback")
    attention_weights: list[list[float]] | None = Field(
        None,
        description="weights of each piece, and of the end, over the pieces of `source_tokens`",
    )


class Usage(BaseModel):
    """Token counts of the request and its answer."""

    prompt_tokens: int = Field(description="tokens of the source, including its end token")
    prompt_tokens_dropped: int = Field(
        description="oldest tokens that the model did not read because the message is too long"
    )
    turns_dropped: int = Field(description="oldest turns that the model did not read")
    completion_tokens: int = Field(description="tokens of all candidates together")


class BatchAnswer(BaseModel):
    """The answer to a `batch`."""

    replies: list[ReplyAnswer] = Field(description="one answer per item, in the order of the batch")
    model: str = Field(description="name of the model that answered")
    latency_ms: float = Field(description="time spent in the server")


class Delta(BaseModel):
    """The next part of a streamed reply."""

    text: str


class ReplyAnswer(ConfidenceFields):
    """The best reply, and all candidates, best first."""

    reply: str
    candidates: list[Candidate]
    source_tokens: list[str] | None = Field(
        None, description="pieces that the model read; only with `with_attention`"
    )
    model: str = Field(description="name of the model that answered")
    usage: Usage
    finish_reason: FinishReason = Field(description="length: the reply was cut at max_tokens")
    latency_ms: float = Field(description="time spent in the server")


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
