"""What a caller wishes, against the model's defaults and the server's limits. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from app.errors import InvalidField
from app.settings import Settings
from model.config import SearchOptions
from model.errors import InputError
from model.tokenizer import Tokenizer

#: The beam of a caller who asks for "beam" and names no size, unless the model has a wider one.
USUAL_BEAM_SIZE = 4


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
        tokenizer.source_ids(turns[-1])  # the turn that is answered must not be skipped as empty
        return tokenizer.source_ids(turns)
    except InputError as error:
        raise InvalidField(fields[-1], str(error)) from None


def search_options(
    defaults: SearchOptions,
    limits: Settings,
    *,
    decoding: Literal["greedy", "beam"] | None = None,
    beam_size: int | None = None,
    length_penalty: float | None = None,
    n_best: int | None = None,
    max_tokens: int | None = None,
) -> SearchOptions:
    """Options of one search; what is None comes from `defaults`, within `limits`.

    Raises:
        InvalidField: if a wish is beyond a limit, or two of them contradict each other.
    """
    if decoding == "greedy":
        _check_at_most("beam_size", beam_size, 1, "with decoding 'greedy'")
        _check_at_most("n_best", n_best, 1, "with decoding 'greedy'")
    _check_at_most("beam_size", beam_size, limits.max_beam_size, "on this server")
    _check_at_most("max_tokens", max_tokens, limits.max_reply_tokens, "on this server")
    usual_beam_size = _usual_beam_size(decoding, n_best or 1, defaults)
    beam_size = beam_size or min(usual_beam_size, limits.max_beam_size)
    _check_at_most("n_best", n_best, beam_size, "(the beam_size)")
    max_tokens = max_tokens or min(defaults.max_tokens, limits.max_reply_tokens)
    return SearchOptions(
        beam_size=beam_size,
        n_best=n_best or min(defaults.n_best, beam_size),
        length_penalty=defaults.length_penalty if length_penalty is None else length_penalty,
        min_tokens=min(defaults.min_tokens, max_tokens),
        max_tokens=max_tokens,
    )


def _usual_beam_size(decoding: str | None, n_best: int, defaults: SearchOptions) -> int:
    """The beam of a caller who names no size: wide enough for `n_best`."""
    if decoding == "greedy":
        return 1
    return max(defaults.beam_size, USUAL_BEAM_SIZE if decoding == "beam" else 1, n_best)


def _check_at_most(field: str, wish: int | None, limit: int, where: str) -> None:
    if wish is not None and wish > limit:
        raise InvalidField(field, f"must be at most {limit} {where}. Received: {wish}")
