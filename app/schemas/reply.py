"""Bodies of `POST /reply`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from model.search.sampling import MOST_DRAWN


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
    decoding: Literal["greedy", "beam", "sample"] | None = Field(
        None,
        description="greedy takes the likeliest token each time, beam looks further, sample draws",
    )
    n_best: int | None = Field(
        None, ge=1, description="candidates to return; widens the beam if no beam_size is given"
    )
    beam_size: int | None = Field(
        None, ge=1, description="hypotheses followed at a time, or drawn by sample"
    )
    length_penalty: float | None = Field(
        None, ge=0.0, le=5.0, description="0 prefers short replies, more prefers longer ones"
    )
    coverage_penalty: float | None = Field(
        None, ge=0.0, le=10.0, description="what it costs to leave words of the message unread"
    )
    diversity: float | None = Field(
        None, ge=0.0, le=10.0, description="holds candidates back that differ in their end only"
    )
    min_tokens: int | None = Field(None, ge=0, description="no reply ends earlier")
    max_tokens: int | None = Field(None, ge=1, description="tokens after which a reply is cut")
    no_repeat_ngram: int | None = Field(
        None, ge=0, le=64, description="no n tokens of a reply come twice; 0: they may"
    )
    repetition_penalty: float | None = Field(
        None, ge=1.0, le=10.0, description="above 1, words said before are less likely"
    )
    temperature: float | None = Field(
        None, ge=0.0, le=10.0, description="of sample: below 1 more sober, above 1 wilder"
    )
    top_k: int | None = Field(
        None,
        ge=0,
        le=MOST_DRAWN,
        description=f"sample draws among so many of the likeliest tokens; 0: {MOST_DRAWN:,}",
    )
    top_p: float | None = Field(
        None, gt=0.0, le=1.0, description="sample draws among the likeliest that reach this share"
    )
    seed: int | None = Field(None, ge=0, lt=2**63, description="repeats the same draws")
    shortlist: bool | None = Field(
        None, description="false: choose among all words, not just likely ones; slower"
    )
    rerank_weight: float | None = Field(
        None,
        ge=0.0,
        le=10.0,
        description="against replies that would answer anything: orders the hypotheses of a beam "
        "by a second model too, which counts so much; where the server has one",
    )
    prefix: str | None = Field(None, description="what every candidate begins with")
    blocked_words: list[str] | None = Field(
        None, description="words, or phrases, that no candidate may hold"
    )
    required_words: list[str] | None = Field(
        None,
        description="words, or phrases, that every candidate holds unless it is cut; "
        "needs a beam, which is the default then",
    )
    with_attention: bool = Field(False, description="tell where the model looked")
    stream: bool = Field(False, description="tell the reply while it is made, as events")


class Candidate(BaseModel):
    """One possible reply."""

    text: str
    score: float = Field(description="log-probability after the length penalty, in nats")
    tokens: list[str] = Field(description="its pieces, as the tokenizer cut it")
    attention_weights: list[list[float]] | None = Field(
        None, description="of each piece, and of the end, on each piece of `source_tokens`"
    )


class Usage(BaseModel):
    """What the request cost."""

    prompt_tokens: int = Field(description="tokens of the source, its end included")
    prompt_tokens_dropped: int = Field(
        description="oldest tokens that the model did not read, as the message is too long for it"
    )
    turns_dropped: int = Field(description="older turns that the model did not read at all")
    completion_tokens: int = Field(description="tokens of all candidates together")


class Delta(BaseModel):
    """What a streamed reply has become longer by."""

    text: str


class ReplyAnswer(BaseModel):
    """The best reply, and the candidates that were asked for, best first."""

    reply: str
    candidates: list[Candidate]
    source_tokens: list[str] | None = Field(
        None, description="what the model read; with `with_attention` only"
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
