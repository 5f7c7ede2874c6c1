"""Re-ranking, on tables of transition probabilities that a person can work out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import SearchOptions
from model.search.requests import Hypothesis, SearchRequest
from model.search.rerank import reranked
from tests.model.search.test_beam import GARDEN_PATH, A, B, TableEngine, run


def beam_of_the_garden_path() -> tuple[Hypothesis, ...]:
    options = SearchOptions(beam_size=2, n_best=2, length_penalty=0.0)
    return run(TableEngine(GARDEN_PATH), [SearchRequest(0, (0,), options)])[0]


def test_who_explains_the_source_comes_first() -> None:
    # "B" 0.36 before "A" 0.24; the source is 0.1 likely after B, and 0.5 after A: 0.036 and 0.12.
    found = beam_of_the_garden_path()
    assert [each.tokens for each in found] == [(B,), (A,)]
    ranked = reranked(found, [math.log(0.1), math.log(0.5)], kind="reverse", weight=1.0, alpha=0.0)
    assert [each.tokens for each in ranked] == [(A,), (B,)]
    assert [math.exp(each.score) for each in ranked] == pytest.approx([0.12, 0.036], rel=1e-5)
    assert [each.logprob for each in ranked] == [found[1].logprob, found[0].logprob]


def test_who_is_likely_anyhow_comes_last() -> None:
    # "B" is 0.8 likely after nothing at all, "A" 0.2: 0.36 / 0.8 = 0.45 and 0.24 / 0.2 = 1.2.
    ranked = reranked(
        beam_of_the_garden_path(),
        [math.log(0.8), math.log(0.2)],
        kind="language",
        weight=1.0,
        alpha=0.0,
    )
    assert [each.tokens for each in ranked] == [(A,), (B,)]
    assert [math.exp(each.score) for each in ranked] == pytest.approx([1.2, 0.45], rel=1e-5)


@given(st.sampled_from(["reverse", "language"]), st.lists(st.floats(-50, 0), min_size=2))
def test_no_weight_changes_nothing(kind: str, logprobs: list[float]) -> None:
    found = beam_of_the_garden_path()
    assert reranked(found, logprobs[:2], kind=kind, weight=0.0, alpha=0.6) == found


def test_cut_hypotheses_stay_last() -> None:
    found = [Hypothesis((A,), -1.0, -1.0, "stop"), Hypothesis((B,), -1.0, -1.0, "length")]
    ranked = reranked(found, [-9.0, -1.0], kind="reverse", weight=1.0, alpha=0.0)
    assert [each.finish_reason for each in ranked] == ["stop", "length"]
