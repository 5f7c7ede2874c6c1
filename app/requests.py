"""Search requests from a caller's fields, the model's defaults and the server's limits. Knows no
HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from app.errors import InvalidField
from app.settings import Settings
from model.blocked_words import blocked_sequences
from model.config import SearchOptions, Task
from model.errors import InputError
from model.search.options import Decoding, OptionError, check_at_most, choose_options
from model.tokenizer import Source, Tokenizer, contains_any


def source_of(
    turns: Sequence[str], fields: Sequence[str], tokenizer: Tokenizer, limits: Settings, task: Task
) -> Source:
    """Encodes a dialogue as the model reads it.

    Args:
        turns: oldest first.
        fields: the request field of each turn.

    Raises:
        InvalidField: if there are too many turns, one is too long, or the last one has no text; if
            a sentence to translate would be truncated.
    """
    if len(turns) > limits.max_messages:
        name = fields[0].partition(".")[0]  # of the list of all turns
        most = f"must have at most {limits.max_messages} turns on this server"
        raise InvalidField(name, f"{most}; leave out the oldest. Received: {len(turns)}")
    for turn, field in zip(turns, fields, strict=True):
        if len(turn) > limits.max_message_characters:
            longest = limits.max_message_characters
            raise InvalidField(
                field, f"must have at most {longest} characters. Received: {len(turn)}"
            )
    try:
        if len(turns) > 1:  # the last turn must not be skipped as empty
            tokenizer.source_ids(turns[-1])
        source = tokenizer.read_source(turns)
    except InputError as error:
        raise InvalidField(fields[-1], str(error)) from None
    if task == "translate" and source.dropped_tokens:
        return _alone(turns, fields[-1], tokenizer)
    return source


def _alone(turns: Sequence[str], field: str, tokenizer: Tokenizer) -> Source:
    """Encodes the last of `turns`, as the others leave it no room."""
    source = tokenizer.read_source(turns[-1])
    if source.dropped_tokens:
        raise InvalidField(
            field,
            f"is too long: this model reads {tokenizer.text.max_source_tokens} tokens; "
            f"POST /translate divides long texts. Received: {source.dropped_tokens} tokens more",
        )
    return replace(source, dropped_turns=len(turns) - 1)


@lru_cache(maxsize=64)  # keys may hold 64 KB of blocked words
def search_options(
    defaults: SearchOptions,
    limits: Settings,
    *,
    decoding: Decoding | None = None,
    has_required_words: bool = False,
    can_rerank: bool = False,
    has_questions: bool = False,
    **overrides: Any,
) -> SearchOptions:
    """Returns the options of one search. They are cached, since most callers override nothing.

    Args:
        defaults: the model's defaults, which apply within `limits`.
        overrides: fields of `SearchOptions`; None keeps the default. For the others see
            `choose_options`.

    Raises:
        InvalidField: if an override exceeds a limit, or two contradict each other.
    """
    overrides = {name: value for name, value in overrides.items() if value is not None}
    try:
        check_at_most("beam_size", overrides, limits.max_beam_size, "on this server")
        check_at_most("max_tokens", overrides, limits.max_reply_tokens, "on this server")
        return choose_options(
            defaults,
            overrides,
            decoding=decoding,
            has_required_words=has_required_words,
            can_rerank=can_rerank,
            has_questions=has_questions,
            max_beam_size=limits.max_beam_size,
            max_tokens=limits.max_reply_tokens,
        )
    except OptionError as error:
        raise InvalidField(error.field, error.reason) from None


def prefix_ids_of(
    prefix: str | None, tokenizer: Tokenizer, max_tokens: int, blocked: Sequence[Sequence[int]]
) -> list[int]:
    """Returns the ids with which every hypothesis begins.

    Raises:
        InvalidField: if they leave no room for more; if the prefix has no text, contains a blocked
            word, or something that the model cannot write.
    """
    if not prefix:
        return []
    try:
        ids = tokenizer.constraint_ids(prefix, blocked)
    except InputError as error:
        raise InvalidField("prefix", str(error)) from None
    if len(ids) >= max_tokens:
        raise InvalidField(
            "prefix", f"must be shorter than max_tokens={max_tokens}. Received: {len(ids)} tokens"
        )
    return ids


def blocked_ids_of(
    words: Sequence[str] | None,
    turns: Sequence[str],
    options: SearchOptions,
    tokenizer: Tokenizer,
    limits: Settings,
) -> list[list[int]]:
    """Returns the sequences of ids that no hypothesis may contain, see `blocked_sequences`. The
    `options` include the `words` of the request, too.

    Raises:
        InvalidField: if there are too many words, or one has no text.
    """
    if words and len(words) > limits.max_blocked_words:
        raise InvalidField(
            "blocked_words", f"must be at most {limits.max_blocked_words}. Received: {len(words)}"
        )
    for place, word in enumerate(words or ()):
        try:
            tokenizer.forms(word)
        except InputError as error:
            raise InvalidField(f"blocked_words.{place}", str(error)) from None
    return blocked_sequences(tokenizer, options, turns)


def required_ids_of(
    words: Sequence[str] | None,
    tokenizer: Tokenizer,
    limits: Settings,
    options: SearchOptions,
    prefix_ids: Sequence[int],
    blocked: Sequence[Sequence[int]],
) -> list[list[int]]:
    """Returns the sequences of ids that every hypothesis must contain.

    Raises:
        InvalidField: if there are too many words, they are too long together, or `options` are not
            those of a beam; if one has no text, contains a blocked word, or something that the
            model cannot write.
    """
    if not words:
        return []
    if len(words) > limits.max_required_words:
        raise InvalidField(
            "required_words", f"must be at most {limits.max_required_words}. Received: {len(words)}"
        )
    if options.beam_size < 2 or options.temperature > 0:
        raise InvalidField("required_words", "need a beam: decoding beam, with a beam_size above 1")
    sequences = []
    for place, word in enumerate(words):
        try:
            sequences.append(tokenizer.required_ids(word, blocked))
        except InputError as error:
            raise InvalidField(f"required_words.{place}", str(error)) from None
    to_come = (ids for ids in sequences if not contains_any(prefix_ids, [ids]))
    total = len(prefix_ids) + sum(map(len, to_come))
    if total >= options.max_tokens:
        raise InvalidField(
            "required_words",
            "must be shorter, with the prefix, than "
            f"max_tokens={options.max_tokens}. Received: {total} tokens",
        )
    return sequences
