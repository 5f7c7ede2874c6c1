"""Bodies of the routes that OpenAI clients use, limited to what these models support."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict  # before Python 3.12, pydantic needs this one

from app.schemas.reply import BY_KIND, OTHER, TEXT, ConfidenceFields, Usage
from model.search.requests import MAX_TOP_K, FinishReason

#: OpenAI fields that the models do not support, and the values that have no effect.
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({},),
    "modalities": (["text"],),
    "presence_penalty": (0,),
    "reasoning_effort": ("none",),
    "response_format": ({"type": "text"},),
    "store": (False,),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "verbosity": (),
    "web_search_options": (),
}


Texts = Annotated[Annotated[str, TEXT] | Annotated[list[str], OTHER], BY_KIND]


class _Lenient(BaseModel):
    """Keeps unknown fields: clients also send fields of other services."""

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False)


class ContentPart(_Lenient):
    """A part of a message."""

    type: str = Field(description="text, input_text or output_text; other types are refused")
    text: str | None = None


class ChatMessage(_Lenient):
    """A turn of a dialogue."""

    role: str = Field(description="user or assistant; others are refused")
    content: (
        Annotated[Annotated[str, TEXT] | Annotated[list[ContentPart], OTHER], BY_KIND] | None
    ) = None


class StreamOptions(_Lenient):
    """Options of a stream."""

    include_usage: bool | None = Field(None, description="send the usage in a final chunk")


class SearchFields(_Lenient):
    """Fields shared by all requests.

    Attributes:
        neutral_values: fields that the models do not support, and the values that have no effect.
    """

    neutral_values: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL_VALUES

    model: str = Field(description="name of the model")
    temperature: float | None = Field(
        None,
        ge=0.0,
        le=2.0,
        description="0 takes the likeliest token; unset: the model's own search",
    )
    top_p: float | None = Field(
        None, gt=0.0, le=1.0, description="below 1, samples from the likeliest tokens only"
    )
    stream: bool | None = Field(None, description="stream the reply while it is generated")
    top_k: int | None = Field(None, ge=0, le=MAX_TOP_K, description="as in POST /reply")
    beam_size: int | None = Field(None, ge=1, description="as in POST /reply")
    length_penalty: float | None = Field(None, ge=0.0, le=5.0, description="as in POST /reply")
    repetition_penalty: float | None = Field(None, ge=1.0, le=10.0, description="as in POST /reply")
    fallback_reply: str | None = Field(None, max_length=1000, description="as in POST /reply")
    min_confidence: float | None = Field(None, ge=0.0, le=1.0, description="as in POST /reply")


class _CompletionFields(SearchFields):
    """Fields shared by both kinds of completion."""

    max_tokens: int | None = Field(
        None, ge=1, description="maximum length of a reply, in tokens; longer ones are cut"
    )
    n: int | None = Field(None, ge=1, description="number of choices to return")
    stop: Texts | None = Field(None, description="up to 4 texts that end the reply")
    seed: int | None = Field(None, description="the same seed gives the same samples")
    stream_options: StreamOptions | None = None


class ChatRequest(_CompletionFields):
    """A dialogue whose last turn is answered."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"model": "robin", "messages": [{"role": "user", "content": "How are you?"}]}
            ]
        }
    )

    messages: list[ChatMessage] = Field(
        description="oldest first; the last one is answered, earlier ones are context"
    )
    max_completion_tokens: int | None = Field(None, ge=1, description="the same as max_tokens")
    logprobs: bool | None = Field(None, description="return the log-probability of each token")
    top_logprobs: int | None = Field(
        None, ge=0, le=20, description="number of likeliest tokens to return for each position"
    )


class CompletionRequest(_CompletionFields):
    """One or more texts, each answered on its own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "robin", "prompt": "How are you?"}]}
    )

    prompt: Texts = Field(description="a text, or a list of independent texts")
    logprobs: int | None = Field(
        None, ge=0, le=5, description="number of likeliest tokens to return for each position"
    )


class CompletionUsage(Usage):
    """Token counts of the request and its choices."""

    total_tokens: int


class TopLogprob(BaseModel):
    """A likely token at a position."""

    token: str
    logprob: float
    bytes: list[int]


class ContentLogprob(TopLogprob):
    """A token of a reply."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """The tokens of a reply."""

    content: list[ContentLogprob]


class AssistantMessage(BaseModel):
    """A reply."""

    role: Literal["assistant"] = "assistant"
    content: str


class ChatChoice(ConfidenceFields):
    """One possible reply."""

    index: int
    message: AssistantMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReason


class ChatCompletion(BaseModel):
    """The answer to a dialogue."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int = Field(description="seconds since 1970")
    model: str
    choices: list[ChatChoice]
    usage: CompletionUsage


class ChatDelta(TypedDict, total=False):
    """Text that a chunk adds to a reply."""

    role: Literal["assistant"]
    content: str


class ChunkChoice(ConfidenceFields):
    """A chunk of one possible reply."""

    index: int
    delta: ChatDelta
    logprobs: ChatLogprobs | None = None
    finish_reason: FinishReason | None


class ChatChunk(BaseModel):
    """An event of a streamed dialogue."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: CompletionUsage | None = None


class TextLogprobs(BaseModel):
    """The tokens of a completion."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(ConfidenceFields):
    """One possible completion, or a chunk of it."""

    text: str
    index: int
    logprobs: TextLogprobs | None
    finish_reason: FinishReason | None


class Completion(BaseModel):
    """The answer to prompts, or an event of a streamed one."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: CompletionUsage | None = None


class Model(BaseModel):
    """A served model."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="time at which the server started, in seconds since 1970")
    owned_by: Literal["seq2seq"] = "seq2seq"
    task: Literal["reply", "translate"]
    languages: list[str]
    max_messages: int = Field(description="maximum number of messages in a dialogue")


class ModelList(BaseModel):
    """The served models."""

    object: Literal["list"] = "list"
    data: list[Model]


class OpenAIErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(BaseModel):
    """An error in OpenAI's format."""

    error: OpenAIErrorDetail
