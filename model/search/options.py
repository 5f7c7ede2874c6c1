"""Options of a search: the overrides of a caller, and the defaults of a model. Knows no server and
no flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from model.config import Document, SearchOptions
from model.errors import ConfigError
from model.search.requests import USUAL_BEAM_SIZE

Decoding = Literal["greedy", "beam", "sample"]

#: The temperature of decoding "sample" if neither the caller nor the model sets one.
USUAL_TEMPERATURE = 1.0


class RequestOptions(Document):
    """Options of a request in addition to `SearchOptions`."""

    decoding: Decoding | None = Field(
        None,
        description="greedy takes the likeliest token at each step, beam keeps several "
        "hypotheses, sample draws at random",
    )
    prefix: str = Field("", description="text with which every candidate begins")
    required_words: tuple[str, ...] = Field(
        (),
        description="words or phrases that every candidate contains unless it is cut; needs a "
        "beam, which then becomes the default",
    )


class OptionError(ConfigError):
    """An option that contradicts another.

    Args:
        field: name of the option.
        reason: what is allowed, and what was received.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def choose_options(
    defaults: SearchOptions,
    overrides: Mapping[str, Any],
    *,
    decoding: Decoding | None = None,
    has_required_words: bool = False,
    can_rerank: bool = False,
    has_questions: bool = False,
    max_beam_size: int = 64,
    max_tokens: int = 1024,
) -> SearchOptions:
    """Returns the options of one search.

    Args:
        defaults: defaults of the model.
        overrides: values of some fields of `SearchOptions`, each within its bounds; its
            `blocked_words` are added to the model's.
        decoding: search method; None: as given by the other options.
        has_required_words: whether there are required words, which need a beam.
        can_rerank: whether there is a model to re-rank with.
        has_questions: whether the model has known questions, see `model.known_questions`.
        max_beam_size: upper bound of the default beam size.
        max_tokens: upper bound of the default `max_tokens`.

    Raises:
        OptionError: if two overrides contradict each other.
    """
    if has_required_words or overrides.get("rerank_weight"):
        decoding = decoding or "beam"
    _check_decoding(decoding, overrides)
    own = defaults.model_dump()
    if decoding == "sample":
        own["temperature"] = overrides.get("temperature", defaults.temperature) or USUAL_TEMPERATURE
    elif decoding is not None:
        own["temperature"] = 0.0
    usual = _usual_beam_size(decoding, overrides, defaults)
    own["beam_size"] = beam_size = overrides.get("beam_size") or min(usual, max_beam_size)
    own["max_tokens"] = min(defaults.max_tokens, max_tokens)
    check_at_most("n_best", overrides, beam_size, "(the beam_size)")
    own["n_best"] = min(defaults.n_best, beam_size)
    longest = overrides.get("max_tokens", own["max_tokens"])
    check_at_most("min_tokens", overrides, longest, "(the max_tokens)")
    own["min_tokens"] = min(defaults.min_tokens, longest)
    can_rerank = can_rerank and beam_size > 1
    own["rerank_weight"] = defaults.rerank_weight if can_rerank else 0.0
    _check_model(overrides, can_rerank=can_rerank, has_questions=has_questions)
    blocked = (*defaults.blocked_words, *overrides.get("blocked_words", ()))
    return SearchOptions(**{**own, **overrides, "blocked_words": blocked})


def check_at_most(field: str, overrides: Mapping[str, Any], limit: float, where: str) -> None:
    """Checks that the override of `field`, if any, is at most `limit`.

    Raises:
        OptionError: if it is larger.
    """
    value = overrides.get(field)
    if value is not None and value > limit:
        raise OptionError(field, f"must be at most {limit:g} {where}. Received: {value}")


def _check_model(overrides: Mapping[str, Any], *, can_rerank: bool, has_questions: bool) -> None:
    """Checks that the model has what `overrides` need."""
    if (weight := overrides.get("rerank_weight")) and not can_rerank:
        reason = f"needs a second model, and a beam_size of 2 or more. Received: {weight}"
        raise OptionError("rerank_weight", reason)
    if overrides.get("fallback_reply") and not has_questions:
        raise OptionError(
            "fallback_reply",
            "needs a model that was trained with search.fallback_reply; leave it out",
        )


def _check_decoding(decoding: Decoding | None, overrides: Mapping[str, Any]) -> None:
    """Checks that `overrides` do not contradict `decoding`."""
    where = f"with decoding {decoding!r}"
    if decoding == "greedy":
        check_at_most("beam_size", overrides, 1, where)
        check_at_most("n_best", overrides, 1, where)
    if decoding in ("greedy", "beam"):
        check_at_most("temperature", overrides, 0.0, where)
    if decoding == "sample" and overrides.get("temperature") == 0.0:
        raise OptionError("temperature", f"must be above 0 {where}. Received: 0.0")


def _usual_beam_size(
    decoding: Decoding | None, overrides: Mapping[str, Any], defaults: SearchOptions
) -> int:
    """Returns the default `beam_size`, which is large enough for `n_best`."""
    n_best = int(overrides.get("n_best", 1))
    if decoding == "greedy":
        return 1
    if decoding == "sample" or overrides.get("temperature"):
        return n_best
    return max(defaults.beam_size, USUAL_BEAM_SIZE if decoding == "beam" else 1, n_best)
