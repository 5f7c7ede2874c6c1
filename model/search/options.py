"""What a caller wishes of a search, against a model's defaults. Knows no server and no flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from model.config import Document, SearchOptions
from model.errors import ConfigError

Decoding = Literal["greedy", "beam", "sample"]

#: The beam of a caller who asks for "beam" and names no size, unless the model has a wider one.
USUAL_BEAM_SIZE = 4

#: Of a caller who asks for "sample" and names none, unless the model has one.
USUAL_TEMPERATURE = 1.0


class RequestOptions(Document):
    """What a request may ask for beside `SearchOptions`."""

    decoding: Decoding | None = Field(
        None,
        description="greedy takes the likeliest token each time, beam looks further, sample draws",
    )
    prefix: str = Field("", description="what every candidate begins with")
    blocked_words: tuple[str, ...] = Field(
        (), description="words, or phrases, that no candidate may hold"
    )
    required_words: tuple[str, ...] = Field(
        (),
        description="words, or phrases, that every candidate holds unless it is cut; "
        "needs a beam, which is the default then",
    )


class OptionError(ConfigError):
    """An option contradicts another.

    Args:
        field: its name.
        reason: what is allowed, and what was received.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def implied_decoding(
    decoding: Decoding | None, *, has_required_words: bool, rerank_weight: float | None
) -> Decoding | None:
    """Returns `decoding`, or "beam" where none is named but the other wishes need it."""
    return decoding or ("beam" if has_required_words or rerank_weight else None)


def choose_options(
    defaults: SearchOptions,
    wishes: Mapping[str, Any],
    *,
    decoding: Decoding | None = None,
    can_rerank: bool = False,
    max_beam_size: int = 64,
    max_tokens: int = 1024,
) -> SearchOptions:
    """Returns the options of one search.

    Args:
        defaults: the model's own, for what is not wished.
        wishes: values of some fields of `SearchOptions`, each within its own bounds.
        decoding: how to search; None: as `wishes` and `defaults` have it.
        can_rerank: whether there is a model to re-rank by.
        max_beam_size: the widest beam that `defaults` may lead to.
        max_tokens: the longest answer that `defaults` may lead to.

    Raises:
        OptionError: if two wishes contradict each other.
    """
    _check_decoding(decoding, wishes)
    own = defaults.model_dump()
    if decoding == "sample":
        own["temperature"] = wishes.get("temperature", defaults.temperature) or USUAL_TEMPERATURE
    elif decoding is not None:
        own["temperature"] = 0.0
    usual = _usual_beam_size(decoding, wishes, defaults)
    own["beam_size"] = beam_size = wishes.get("beam_size") or min(usual, max_beam_size)
    own["max_tokens"] = min(defaults.max_tokens, max_tokens)
    check_at_most("n_best", wishes, beam_size, "(the beam_size)")
    own["n_best"] = min(defaults.n_best, beam_size)
    longest = wishes.get("max_tokens", own["max_tokens"])
    check_at_most("min_tokens", wishes, longest, "(the max_tokens)")
    own["min_tokens"] = min(defaults.min_tokens, longest)
    if not can_rerank or beam_size < 2:
        check_at_most("rerank_weight", wishes, 0.0, "without a second model, and a beam_size of 2")
        own["rerank_weight"] = 0.0
    return SearchOptions(**{**own, **wishes})


def check_at_most(field: str, wishes: Mapping[str, Any], limit: float, where: str) -> None:
    """Checks that the wish for `field`, if there is one, is at most `limit`.

    Raises:
        OptionError: if it is above.
    """
    wish = wishes.get(field)
    if wish is not None and wish > limit:
        raise OptionError(field, f"must be at most {limit:g} {where}. Received: {wish}")


def _check_decoding(decoding: Decoding | None, wishes: Mapping[str, Any]) -> None:
    """Checks that `wishes` do not contradict `decoding`."""
    where = f"with decoding {decoding!r}"
    if decoding == "greedy":
        check_at_most("beam_size", wishes, 1, where)
        check_at_most("n_best", wishes, 1, where)
    if decoding in ("greedy", "beam"):
        check_at_most("temperature", wishes, 0.0, where)
    if decoding == "sample" and wishes.get("temperature") == 0.0:
        raise OptionError("temperature", f"must be above 0 {where}. Received: 0.0")


def _usual_beam_size(
    decoding: Decoding | None, wishes: Mapping[str, Any], defaults: SearchOptions
) -> int:
    """Returns the beam of a caller who names no size: wide enough for `n_best`."""
    n_best = int(wishes.get("n_best", 1))
    if decoding == "greedy":
        return 1
    if decoding == "sample" or wishes.get("temperature"):
        return n_best
    return max(defaults.beam_size, USUAL_BEAM_SIZE if decoding == "beam" else 1, n_best)
