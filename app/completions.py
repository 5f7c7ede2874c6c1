"""Searches behind `/v1/...`: from the fields of OpenAI's API to requests, and from hypotheses to
choices. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from app.decoding.messages import Hypotheses
from app.decoding.served_model import ServedModel, deadline
from app.errors import InvalidField
from app.requests import search_options, source_of
from app.schemas.openai import (
    ChatMessage,
    ChatRequest,
    CompletionRequest,
    CompletionUsage,
)
from app.schemas.responses import ResponseRequest
from app.settings import Settings
from app.stop_sequences import StopFilter, cut_at_stop
from model.blocked_words import blocked_sequences
from model.config import SearchOptions
from model.known_questions import CheckedReply
from model.search.requests import (
    FinishReason,
    Hypothesis,
    ScoringRequest,
    SearchRequest,
    TokenLogprob,
)
from model.tokenizer import IncrementalDetokenizer, Source

MAX_STOPS = 4

#: Why instructions are refused.
NO_INSTRUCTIONS = (
    "these models take no instructions; leave them out, or start the server with "
    "SEQ2SEQ_IGNORE_SYSTEM_MESSAGES=true"
)

Body = ChatRequest | CompletionRequest | ResponseRequest

#: Fields that all bodies name as `SearchOptions` do.
_SHARED_FIELDS = (
    "temperature",
    "top_p",
    "top_k",
    "beam_size",
    "length_penalty",
    "repetition_penalty",
    "fallback_reply",
    "min_confidence",
)


@dataclass(frozen=True)
class Choice:
    """One possible reply.

    Attributes:
        text: its text, up to a stop sequence.
        finish_reason: `stop` also if a stop sequence ended it.
        scores: log-probability of each token, if requested; empty for a fallback reply.
        confidence, is_fallback: see `CheckedReply`.
    """

    text: str
    finish_reason: FinishReason
    scores: Sequence[TokenLogprob] | None = None
    confidence: float | None = None
    is_fallback: bool | None = None


@dataclass
class CompletionBatch:
    """The searches of one request.

    Attributes:
        options: options of all searches.
        stops: texts that end a reply.
        top_logprobs: number of likeliest tokens per position; None: no log-probabilities.
        searches: one search per source.
        sources: the encoded sources.
        dialogues: the turns of each source.
    """

    model: ServedModel
    limits: Settings
    options: SearchOptions
    stops: Sequence[str]
    top_logprobs: int | None
    searches: list[SearchRequest] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    dialogues: list[Sequence[str]] = field(default_factory=list)

    @classmethod
    def from_body(
        cls,
        body: Body,
        model: ServedModel,
        limits: Settings,
        top_logprobs: int | None,
    ) -> CompletionBatch:
        """Builds a batch with the options of `body`, without sources.

        Raises:
            InvalidField: if this server does not support the value of a field.
        """
        for name, value in (body.model_extra or {}).items():
            if name == "instructions" and limits.ignore_system_messages:
                continue
            if isinstance(value, dict):  # clients send members that are unset as null
                value = {key: each for key, each in value.items() if each is not None}
            if value is not None and value not in body.neutral_values.get(name, (value,)):
                reason = "is not supported by these models; leave it out"
                raise InvalidField(name, NO_INSTRUCTIONS if name == "instructions" else reason)
        options = _options(body, model, limits)
        stops = () if isinstance(body, ResponseRequest) else _stops(body.stop)
        return cls(model, limits, options, stops, top_logprobs)

    def add(self, turns: Sequence[str], fields: Sequence[str], dropped_turns: int = 0) -> None:
        """Adds a source, given its turns, oldest first, and the field of each. `dropped_turns` have
        been left out before them.

        Raises:
            InvalidField: if the model cannot read it.
        """
        tokenizer, task = self.model.tokenizer, self.model.config.task
        source = source_of(turns, fields, tokenizer, self.limits, task)
        blocked = blocked_sequences(tokenizer, self.options, turns)
        self.searches.append(SearchRequest(None, source.ids, self.options, blocked=blocked))
        dropped_turns += source.dropped_turns
        self.sources.append(replace(source, dropped_turns=dropped_turns))
        self.dialogues.append(turns)

    def add_dialogue(self, messages: Sequence[ChatMessage], name: str) -> None:
        """Adds the dialogue in the field `name`, oldest message first. Chat programs send all of
        it, however long, so the oldest messages beyond the limits are left out.

        Raises:
            InvalidField: if a role is neither user nor assistant, a turn is not text, or the model
                cannot read it.
        """
        turns, fields = [], []
        for index, message in enumerate(messages):
            path = f"{name}.{index}"
            text = _content(message, f"{path}.content")
            if message.role in ("system", "developer") and (
                self.limits.ignore_system_messages or not text.strip()
            ):
                continue
            if message.role in ("system", "developer"):
                raise InvalidField(f"{path}.role", NO_INSTRUCTIONS)
            if message.role not in ("user", "assistant"):
                raise InvalidField(f"{path}.role", "must be user or assistant")
            if message.model_extra and message.model_extra.get("tool_calls"):
                reason = "is not supported: these models call no tools"
                raise InvalidField(f"{path}.tool_calls", reason)
            turns.append(text)
            fields.append(f"{path}.content")
        if not turns:
            raise InvalidField(name, "must contain at least one user message")
        first = max(
            0,
            len(turns) - self.limits.max_messages,
            *(
                place
                for place, turn in enumerate(turns[:-1], 1)
                if len(turn) > self.limits.max_message_characters
            ),
        )
        self.add(turns[first:], fields[first:], dropped_turns=first)

    async def choices(self) -> tuple[list[Choice], CompletionUsage]:
        """Returns the choices of all sources, in order, and their token counts.

        Raises:
            DeadlineExceeded: if that takes too long, with all log-probabilities. For other errors
                see `ServedModel.answer`.
        """
        seconds = self.limits.request_timeout_seconds
        async with deadline(seconds):
            answers = await self.model.answer_all(
                self.searches, self.dialogues, timeout_seconds=seconds
            )
            return await self._read(answers)

    async def stream_choices(
        self, send: Callable[[str], None]
    ) -> tuple[list[Choice], CompletionUsage]:
        """Does the same as `choices` for a single source. Calls `send` with each part of the first
        choice's text as soon as it is final."""
        tokenizer = self.model.tokenizer
        growing, stop = IncrementalDetokenizer(tokenizer), StopFilter(self.stops)
        (search,), (turns,) = self.searches, self.dialogues

        def send_text(further: str) -> None:
            if further:
                send(further)

        hypotheses = await self.model.answer(
            search,
            turns,
            timeout_seconds=self.limits.request_timeout_seconds,
            on_tokens=lambda tokens: send_text(stop.add(growing.add(tokens))),
        )
        checked = self.model.checked(search, turns, hypotheses[0])
        if checked.is_fallback:
            send_text(checked.text)
        else:
            send_text(stop.add(growing.finish(checked.text)))
            send_text(stop.finish())
        return await self._read([hypotheses])

    async def _read(self, answers: Sequence[Hypotheses]) -> tuple[list[Choice], CompletionUsage]:
        prompt_tokens = sum(len(source.ids) for source in self.sources)
        choices, completion_tokens = list[Choice](), 0
        for search, turns, hypotheses in zip(self.searches, self.dialogues, answers, strict=True):
            checked = [self.model.checked(search, turns, each) for each in hypotheses]
            found = [self._choice(*each) for each in zip(checked, hypotheses, strict=True)]
            completion_tokens += sum(len(tokens) for _, tokens in found)
            choices += await self._scored(search, found)
        usage = CompletionUsage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=prompt_tokens + completion_tokens,
            prompt_tokens_dropped=sum(source.dropped_tokens for source in self.sources),
            turns_dropped=sum(source.dropped_turns for source in self.sources),
        )
        return choices, usage

    def _choice(
        self, checked: CheckedReply, hypothesis: Hypothesis
    ) -> tuple[Choice, Sequence[int]]:
        """Returns the choice and the tokens of its hypothesis, up to the token that completes a
        stop sequence."""
        to_text, tokens = self.model.tokenizer.target_text, hypothesis.tokens
        confidence, is_fallback = checked.confidence, checked.is_fallback
        text = checked.text if is_fallback else cut_at_stop(checked.text, self.stops)
        is_cut = text != checked.text
        reason: FinishReason = "stop" if is_fallback or is_cut else hypothesis.finish_reason
        if is_cut:
            count = next(
                n
                for n in range(1, len(tokens) + 1)
                if any(stop in to_text(tokens[:n]) for stop in self.stops)
            )
            tokens = tokens[:count]
        return Choice(text, reason, None, confidence, is_fallback), tokens

    async def _scored(
        self, search: SearchRequest, found: Sequence[tuple[Choice, Sequence[int]]]
    ) -> list[Choice]:
        """Returns the choices of a search with the log-probabilities of their tokens, if
        requested."""
        choices = [choice for choice, _ in found]
        if self.top_logprobs is None:
            return choices
        targets = [() if choice.is_fallback else tokens for choice, tokens in found]
        scored = await self.model.client.submit(
            ScoringRequest(
                None, [(search.source_ids, each) for each in targets], self.top_logprobs
            ),
            timeout_seconds=self.limits.request_timeout_seconds,
        )
        pairs = zip(choices, scored, strict=True)
        return [replace(choice, scores=each.token_logprobs) for choice, each in pairs]


def _content(message: ChatMessage, path: str) -> str:
    if isinstance(message.content, str) or message.content is None:
        return message.content or ""
    for index, part in enumerate(message.content):
        if part.type not in ("text", "input_text", "output_text") or part.text is None:
            raise InvalidField(f"{path}.{index}", "must be text: these models read only text")
    return "\n".join(part.text or "" for part in message.content)


def _options(body: Body, model: ServedModel, limits: Settings) -> SearchOptions:
    """Returns the options of a search. Errors name the fields of this API."""
    overrides: dict[str, Any] = {name: getattr(body, name) for name in _SHARED_FIELDS}
    if (max_tokens := _max_tokens(body)) is not None:
        overrides["max_tokens"] = min(max_tokens, limits.max_reply_tokens)
    if not isinstance(body, ResponseRequest):
        seed = None if body.seed is None else body.seed % 2**63
        overrides |= {"n_best": body.n, "seed": seed}
    draws = body.temperature is None and body.top_p is not None and body.top_p < 1.0
    try:
        return search_options(
            model.config.search,
            limits,
            decoding="sample" if draws else None,
            can_rerank=model.reranker is not None,
            has_questions=model.questions is not None,
            **overrides,
        )
    except InvalidField as error:
        reason = str(error).removeprefix(f"{error.field}: ")
        raise InvalidField("n" if error.field == "n_best" else error.field, reason) from None


def _max_tokens(body: Body) -> int | None:
    """Returns the maximum length of a reply. Programs send that of larger models, so more than the
    server's is no error."""
    if isinstance(body, ResponseRequest):
        return body.max_output_tokens
    if isinstance(body, ChatRequest) and body.max_completion_tokens is not None:
        if body.max_tokens not in (None, body.max_completion_tokens):
            raise InvalidField("max_completion_tokens", "differs from max_tokens; send one of them")
        return body.max_completion_tokens
    return body.max_tokens


def _stops(stop: str | Sequence[str] | None) -> Sequence[str]:
    stops = [stop] if isinstance(stop, str) else stop or []
    if len(stops) > MAX_STOPS or "" in stops:
        raise InvalidField("stop", f"must be at most {MAX_STOPS} non-empty texts")
    return stops
