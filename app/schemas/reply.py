"""Bodies of `POST /reply`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from model.search.sampling import MOST_DRAWN


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


class ReplyRequest(_Strict):
    """A message, as `message`, `messages` or `batch`, and options. The model has defaults for
    these."""

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
    decoding: Literal["greedy", "beam", "sample"] | None = Field(
        None,
        description="greedy takes the likeliest token at each step, beam keeps several hypotheses, "
        "sample draws",
    )
    n_best: int | None = Field(
        None, ge=1, description="candidates to return; widens the beam if no beam_size is given"
    )
    beam_size: int | None = Field(
        None, ge=1, description="hypotheses kept at each step, or drawn by sample"
    )
    length_penalty: float | None = Field(
        None, ge=0.0, le=5.0, description="0 prefers short replies, higher values longer ones"
    )
    coverage_penalty: float | None = Field(
        None, ge=0.0, le=10.0, description="penalty for words of the message without attention"
    )
    diversity: float | None = Field(
        None, ge=0.0, le=10.0, description="penalty for candidates that differ only in their end"
    )
    min_tokens: int | None = Field(None, ge=0, description="shortest reply, in tokens")
    max_tokens: int | None = Field(None, ge=1, description="tokens after which a reply is cut")
    no_repeat_ngram: int | None = Field(
        None, ge=0, le=64, description="no sequence of n tokens comes twice in a reply; 0: off"
    )
    repetition_penalty: float | None = Field(
        None, ge=1.0, le=10.0, description="above 1, tokens that were used become less likely"
    )
    temperature: float | None = Field(
        None, ge=0.0, le=10.0, description="of sample: below 1 safer, above 1 more varied"
    )
    top_k: int | None = Field(
        None,
        ge=0,
        le=MOST_DRAWN,
        description=f"sample draws from the k likeliest tokens; 0: {MOST_DRAWN:,}",
    )
    top_p: float | None = Field(
        None,
        gt=0.0,
        le=1.0,
        description="sample draws from the likeliest tokens that together have this probability",
    )
    seed: int | None = Field(None, ge=0, lt=2**63, description="the same seed, the same draws")
    shortlist: bool | None = Field(
        None, description="false: choose from the whole vocabulary; slower"
    )
    rerank_weight: float | None = Field(
        None,
        ge=0.0,
        le=10.0,
        description="weight of a second model's score in the order of a beam's hypotheses, against "
        "replies that would answer anything; needs a second model on the server",
    )
    prefix: str | None = Field(None, description="text with which every candidate begins")
    blocked_words: list[str] | None = Field(
        None,
        description="words or phrases that no candidate contains, beside the server's",
    )
    no_repeat_reply: bool | None = Field(
        None, description="no reply is one that the dialogue has already"
    )
    fallback_reply: str | None = Field(
        None,
        max_length=1000,
        description="the reply where the model does not know, if it was trained with one; empty: "
        "the model's reply is given, however unlikely it is to be right",
    )
    min_confidence: float | None = Field(
        None, ge=0.0, le=1.0, description="a reply of less confidence is not given"
    )
    required_words: list[str] | None = Field(
        None,
        description="words or phrases that every candidate contains unless it is cut; "
        "needs a beam, which is the default then",
    )
    with_attention: bool = Field(False, description="return the attention weights")
    stream: bool = Field(False, description="send the reply as events while it is made")


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
