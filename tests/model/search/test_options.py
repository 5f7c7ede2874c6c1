from __future__ import annotations

from typing import Any

import pytest

from model.config import SearchOptions
from model.search.options import OptionError, choose_options


@pytest.mark.parametrize(
    ("wishes", "beam_size"),
    [
        ({"has_required_words": True}, 4),
        ({"overrides": {"rerank_weight": 0.5}}, 4),
        ({"overrides": {"rerank_weight": 0.0}}, 1),
        ({"decoding": "greedy", "has_required_words": True}, 1),
    ],
)
def test_a_beam_is_the_default_of_those_who_need_one(
    wishes: dict[str, Any], beam_size: int
) -> None:
    options = choose_options(SearchOptions(), **{"overrides": {}, "can_rerank": True, **wishes})
    assert options.beam_size == beam_size


def test_what_is_not_wished_is_the_models() -> None:
    defaults = SearchOptions(beam_size=3, length_penalty=1.5, rerank_weight=0.5)
    found = choose_options(defaults, {"max_tokens": 9}, can_rerank=True)
    assert found == defaults.model_copy(update={"max_tokens": 9})
    assert choose_options(defaults, {}).rerank_weight == 0.0  # there is nothing to re-rank by


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
