"""Bodies of OpenAI's Responses API, limited to what these models support."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.schemas.openai import NEUTRAL_VALUES, ChatMessage, SearchFields
from app.schemas.reply import BY_KIND, OTHER, TEXT, ConfidenceFields


class InputItem(ChatMessage):
    """A turn of a dialogue."""

    @model_validator(mode="before")
    @classmethod
    def _check_type(cls, item: Any) -> Any:
        if isinstance(item, dict) and item.get("type", "message") != "message":
            reason = "must be a message: nothing is stored, and these models call no tools"
            raise PydanticCustomError("item_type", reason)
        return item


class ResponseRequest(SearchFields):
    """A message, or a dialogue whose last turn is answered."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "robin", "input": "How are you?"}]}
    )

    neutral_values: ClassVar[dict[str, tuple[Any, ...]]] = {
        **NEUTRAL_VALUES,
        "background": (False,),
        "conversation": (),
        "include": ([],),
        "instructions": ("",),
        "previous_response_id": (),
        "prompt": (),
        "reasoning": ({}, {"effort": "none"}),
        "text": ({}, {"format": {"type": "text"}}),
        "top_logprobs": (0,),
    }

    input: Annotated[Annotated[str, TEXT] | Annotated[list[InputItem], OTHER], BY_KIND] = Field(
        description="a message; or messages, of which the last is answered, oldest first"
    )
    max_output_tokens: int | None = Field(
        None, ge=1, description="maximum length of the reply, in tokens; a longer one is cut"
    )


Status = Literal["in_progress", "completed", "incomplete"]


class OutputText(BaseModel):
    """The text of a reply."""

    type: Literal["output_text"] = "output_text"
    text: str
    annotations: list[Any] = []
    logprobs: list[Any] = []


class OutputMessage(ConfidenceFields):
    """A reply."""

    id: str
    type: Literal["message"] = "message"
    status: Status
    role: Literal["assistant"] = "assistant"
    content: list[OutputText]


class CachedTokens(BaseModel):
    """Cached tokens; always 0."""

    cached_tokens: Literal[0] = 0
    cache_write_tokens: Literal[0] = 0


class ReasoningTokens(BaseModel):
    """Reasoning tokens; always 0."""

    reasoning_tokens: Literal[0] = 0


class ResponseUsage(BaseModel):
    """Token counts of the request and its answer."""

    input_tokens: int
    input_tokens_details: CachedTokens = CachedTokens()
    input_tokens_dropped: int = Field(description="oldest tokens that the model did not read")
    turns_dropped: int = Field(description="oldest messages that the model did not read")
    output_tokens: int
    output_tokens_details: ReasoningTokens = ReasoningTokens()
    total_tokens: int


class IncompleteDetails(BaseModel):
    """Why a reply is not complete."""

    reason: Literal["max_output_tokens"] = "max_output_tokens"


class ModelResponse(BaseModel):
    """The answer to a request, at its end or while it is generated."""

    id: str
    object: Literal["response"] = "response"
    created_at: int = Field(description="seconds since 1970")
    status: Status
    error: None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: None = None
    max_output_tokens: int | None
    metadata: dict[str, str] = {}
    model: str
    output: list[OutputMessage]
    parallel_tool_calls: bool = True
    previous_response_id: None = None
    store: Literal[False] = False
    temperature: float | None
    text: dict[str, Any] = {"format": {"type": "text"}}
    tool_choice: Literal["auto"] = "auto"
    tools: list[Any] = []
    top_p: float | None
    truncation: Literal["auto"] = "auto"
    usage: ResponseUsage | None = None
