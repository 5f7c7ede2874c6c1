"""What a caller wishes, against the model's defaults and the server's limits. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

from app.errors import InvalidField
from app.settings import Settings
from app.wire import USUAL_BEAM_SIZE
from model.config import SearchOptions
from model.errors import InputError
from model.tokenizer import Tokenizer

Decoding = Literal["greedy", "beam", "sample"]

#: Of a caller who asks for "sample" and names none, unless the model has one.
USUAL_TEMPERATURE = 1.0


def source_ids_of(
    turns: Sequence[str], fields: Sequence[str], tokenizer: Tokenizer, limits: Settings
) -> list[int]:
    """Ids of a dialogue, oldest turn first. `fields` names each turn.

    Raises:
        InvalidField: if there are too many turns, one is too long, or the last holds no text.
    """
    if len(turns) > limits.max_messages:
        raise InvalidField(
            "messages", f"must be at most {limits.max_messages}. Received: {len(turns)}"
        )
    for turn, field in zip(turns, fields, strict=True):
        if len(turn) > limits.max_message_characters:
            longest = limits.max_message_characters
            raise InvalidField(
                field, f"must have at most {longest} characters. Received: {len(turn)}"
            )
    try:
        if len(turns) > 1:  # the turn that is answered must not be skipped as empty
            tokenizer.source_ids(turns[-1])
        return tokenizer.source_ids(turns)
    except InputError as error:
        raise InvalidField(fields[-1], str(error)) from None


@lru_cache(maxsize=1024)
def search_options(
    defaults: SearchOptions,
    limits: Settings,
    *,
    decoding: Decoding | None = None,
    can_rerank: bool = False,
    **wishes: Any,
) -> SearchOptions:
    """Options of one search; remembered, since most callers wish nothing.

    Args:
        defaults: the model's own, for what is not wished, within `limits`.
        limits: the server's.
        decoding: how to search; by default as `wishes` and `defaults` have it.
        can_rerank: whether there is a model to re-rank by.
        wishes: fields of `SearchOptions`; None is no wish.

    Raises:
        InvalidField: if a wish is beyond a limit, or two of them contradict each other.
    """
    wishes = {name: value for name, value in wishes.items() if value is not None}
    _check_decoding(decoding, wishes)
    _check_at_most("beam_size", wishes, limits.max_beam_size, "on this server")
    _check_at_most("max_tokens", wishes, limits.max_reply_tokens, "on this server")
    own = defaults.model_dump()
    temperature = wishes.get("temperature", defaults.temperature)
    if decoding == "sample":
        own["temperature"] = temperature or USUAL_TEMPERATURE
    elif decoding is not None:
        own["temperature"] = 0.0
    usual = _usual_beam_size(decoding, wishes, defaults)
    own["beam_size"] = beam_size = wishes.get("beam_size") or min(usual, limits.max_beam_size)
    own["max_tokens"] = min(defaults.max_tokens, limits.max_reply_tokens)
    _check_at_most("n_best", wishes, beam_size, "(the beam_size)")
    own["n_best"] = min(defaults.n_best, beam_size)
    max_tokens = wishes.get("max_tokens", own["max_tokens"])
    _check_at_most("min_tokens", wishes, max_tokens, "(the max_tokens)")
    own["min_tokens"] = min(defaults.min_tokens, max_tokens)
    if not can_rerank or beam_size < 2:
        _check_at_most("rerank_weight", wishes, 0.0, "without a second model, and a beam_size of 2")
        own["rerank_weight"] = 0.0
    return SearchOptions(**{**own, **wishes})


def prefix_ids_of(prefix: str | None, tokenizer: Tokenizer, max_tokens: int) -> list[int]:
    """Ids that every hypothesis begins with.

    Raises:
        InvalidField: if they leave no room for more.
    """
    if not prefix:
        return []
    ids = tokenizer.target_ids(prefix)
    if len(ids) >= max_tokens:
        raise InvalidField(
            "prefix", f"must be shorter than max_tokens={max_tokens}. Received: {len(ids)} tokens"
        )
    return ids


def blocked_ids_of(
    words: Sequence[str] | None, tokenizer: Tokenizer, limits: Settings
) -> list[list[int]]:
    """Sequences of ids that no hypothesis may hold: each word as it is, in small letters and with a
    capital.

    Raises:
        InvalidField: if there are too many words, or one holds no text.
    """
    if words and len(words) > limits.max_blocked_words:
        raise InvalidField(
            "blocked_words", f"must be at most {limits.max_blocked_words}. Received: {len(words)}"
        )
    sequences = []
    for place, word in enumerate(words or ()):
        try:
            sequences += tokenizer.forms(word)
        except InputError as error:
            raise InvalidField(f"blocked_words.{place}", str(error)) from None
    return sequences


def required_ids_of(
    words: Sequence[str] | None, tokenizer: Tokenizer, limits: Settings, options: SearchOptions
) -> list[list[int]]:
    """Sequences of ids that every hypothesis must hold.

    Raises:
        InvalidField: if there are too many words, one holds no text, they are too long together,
            or `options` are not those of a beam.
    """
    if not words:
        return []
    if len(words) > limits.max_required_words:
        raise InvalidField(
            "required_words", f"must be at most {limits.max_required_words}. Received: {len(words)}"
        )
    if options.beam_size < 2 or options.temperature > 0:
        raise InvalidField("required_words", "need a beam: decoding beam, with a beam_size above 1")
    sequences = [tokenizer.target_ids(word) for word in words]
    for place, ids in enumerate(sequences):
        if not ids:
            raise InvalidField(f"required_words.{place}", "holds no text")
    total = sum(map(len, sequences))
    if total >= options.max_tokens:
        raise InvalidField(
            "required_words",
            f"must be shorter than max_tokens={options.max_tokens}. Received: {total} tokens",
        )
    return sequences


def _check_decoding(decoding: Decoding | None, wishes: dict[str, Any]) -> None:
    """That `wishes` do not contradict `decoding`."""
    where = f"with decoding {decoding!r}"
    if decoding == "greedy":
        _check_at_most("beam_size", wishes, 1, where)
        _check_at_most("n_best", wishes, 1, where)
    if decoding in ("greedy", "beam"):
        _check_at_most("temperature", wishes, 0.0, where)
    if decoding == "sample" and wishes.get("temperature") == 0.0:
        raise InvalidField("temperature", f"must be above 0 {where}. Received: 0.0")


def _usual_beam_size(
    decoding: Decoding | None, wishes: dict[str, Any], defaults: SearchOptions
) -> int:
    """The beam of a caller who names no size: wide enough for `n_best`."""
    n_best = int(wishes.get("n_best", 1))
    if decoding == "greedy":
        return 1
    if decoding == "sample" or wishes.get("temperature"):
        return n_best
    return max(defaults.beam_size, USUAL_BEAM_SIZE if decoding == "beam" else 1, n_best)


def _check_at_most(field: str, wishes: dict[str, Any], limit: float, where: str) -> None:
    wish = wishes.get(field)
    if wish is not None and wish > limit:
        raise InvalidField(field, f"must be at most {limit:g} {where}. Received: {wish}")
