from __future__ import annotations

from typing import Any

import pytest

from model.config import SearchOptions
from model.search.options import OptionError, choose_options


def chosen(defaults: SearchOptions, wishes: dict[str, Any]) -> SearchOptions:
    """The options of somebody who wishes options of a search, a decoding or required words."""
    named = {name: wishes[name] for name in ("decoding", "has_required_words") if name in wishes}
    overrides = {name: value for name, value in wishes.items() if name not in named}
    return choose_options(defaults, overrides, can_rerank=True, **named)


def test_what_is_not_wished_is_the_models() -> None:
    defaults = SearchOptions(beam_size=3, length_penalty=1.5, rerank_weight=0.5)
    found = choose_options(defaults, {"max_tokens": 9}, can_rerank=True)
    assert found == defaults.model_copy(update={"max_tokens": 9})
    assert choose_options(defaults, {}).rerank_weight == 0.0  # there is nothing to re-rank by


@pytest.mark.parametrize(
    ("wishes", "beam_size"),
    [
        ({"decoding": "greedy"}, 1),
        ({"decoding": "beam"}, 4),
        ({"decoding": "beam", "beam_size": 2}, 2),
        ({"beam_size": 3}, 3),
        ({"n_best": 3}, 3),
        ({"decoding": "beam", "n_best": 6}, 6),
        ({"decoding": "sample"}, 1),
        ({"decoding": "sample", "n_best": 3}, 3),
        ({"temperature": 0.5}, 1),
        ({"has_required_words": True}, 4),
        ({"has_required_words": True, "decoding": "greedy"}, 1),
        ({"rerank_weight": 0.5}, 4),
        ({"rerank_weight": 0.0}, 2),
        ({}, 2),
    ],
)
def test_decoding_and_beam_size_agree_on_a_beam(wishes: dict[str, Any], beam_size: int) -> None:
    assert chosen(SearchOptions(beam_size=2), wishes).beam_size == beam_size


@pytest.mark.parametrize(
    ("wishes", "temperature"),
    [
        ({}, 0.7),
        ({"decoding": "sample"}, 0.7),
        ({"decoding": "sample", "temperature": 2.0}, 2.0),
        ({"temperature": 0.0}, 0.0),
        ({"decoding": "beam"}, 0.0),
        ({"decoding": "greedy"}, 0.0),
    ],
)
def test_decoding_and_temperature_agree(wishes: dict[str, Any], temperature: float) -> None:
    assert chosen(SearchOptions(temperature=0.7), wishes).temperature == temperature


def test_who_samples_and_names_no_temperature_gets_the_usual_one() -> None:
    assert chosen(SearchOptions(), {"decoding": "sample"}).temperature == 1.0


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"decoding": "greedy", "beam_size": 2}, "beam_size"),
        ({"decoding": "beam", "temperature": 0.5}, "temperature"),
        ({"decoding": "sample", "temperature": 0.0}, "temperature"),
        ({"beam_size": 2, "n_best": 3}, "n_best"),
        ({"min_tokens": 65}, "min_tokens"),
        ({"decoding": "beam", "rerank_weight": 1.0}, "rerank_weight"),
    ],
)
def test_a_contradiction_names_its_field(wishes: dict[str, Any], field: str) -> None:
    decoding = wishes.pop("decoding", None)
    with pytest.raises(OptionError, match=f"^{field}: .*Received: ") as caught:
        choose_options(SearchOptions(), wishes, decoding=decoding)
    assert caught.value.field == field
