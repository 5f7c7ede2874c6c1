"""Re-ranking, on tables of transition probabilities that a person can work out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import SearchOptions
from model.search.requests import Hypothesis, SearchRequest
from model.search.rerank import MOST_TOKENS, reranked, scoring_request
from tests.model.search.test_beam import EOS, GARDEN_PATH, A, B, TableEngine, run


def logprob_of(table: Sequence[Sequence[float]], target_ids: Sequence[int]) -> float:
    (only,) = run(TableEngine(table), [scoring_request((0,), target_ids, eos_id=EOS)])[None]
    assert only.tokens == tuple(target_ids)
    assert only.finish_reason == "stop"
    return only.logprob


@pytest.mark.parametrize(
    ("target_ids", "probability"),
    [((B,), 0.4 * 0.9), ((A, B), 0.6 * 0.3 * 0.9), ((B, A), 0.4 * 0.05 * 0.4)],
)
def test_a_given_target_is_scored(target_ids: Sequence[int], probability: float) -> None:
    assert math.exp(logprob_of(GARDEN_PATH, target_ids)) == pytest.approx(probability, rel=1e-5)


def test_many_targets_are_scored_as_each_alone() -> None:
    targets = [(A,), (B, A, B), (), (A, A)]
    requests = [scoring_request((0,), each, eos_id=EOS) for each in targets]
    together = run(
        TableEngine(GARDEN_PATH),
        [SearchRequest(i, r.source_ids, r.options, r.prefix_ids) for i, r in enumerate(requests)],
    )
    for i, target in enumerate(targets[:2]):
        assert together[i][0].logprob == logprob_of(GARDEN_PATH, target)


def test_of_a_long_target_the_beginning_counts() -> None:
    request = scoring_request((0,), [A] * 5000, eos_id=EOS)
    assert len(request.prefix_ids) == request.options.max_tokens == MOST_TOKENS


def beam_of_the_garden_path() -> tuple[Hypothesis, ...]:
    options = SearchOptions(beam_size=2, n_best=2, length_penalty=0.0)
    return run(TableEngine(GARDEN_PATH), [SearchRequest(0, (0,), options)])[0]


def test_who_explains_the_source_comes_first() -> None:
    # "B" 0.36 before "A" 0.24; the source is 0.1 likely after B, and 0.5 after A: 0.036 and 0.12.
    found = beam_of_the_garden_path()
    assert [each.tokens for each in found] == [(B,), (A,)]
    ranked = reranked(
        found, [math.log(0.1), math.log(0.5)], kind="reverse", weight=1.0, length_penalty=0.0
    )
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
        length_penalty=0.0,
    )
    assert [each.tokens for each in ranked] == [(A,), (B,)]
    assert [math.exp(each.score) for each in ranked] == pytest.approx([1.2, 0.45], rel=1e-5)


@given(st.sampled_from(["reverse", "language"]), st.lists(st.floats(-50, 0), min_size=2))
def test_no_weight_changes_nothing(kind: str, logprobs: list[float]) -> None:
    found = beam_of_the_garden_path()
    assert reranked(found, logprobs[:2], kind=kind, weight=0.0, length_penalty=0.6) == found


def test_cut_hypotheses_stay_last() -> None:
    found = [Hypothesis((A,), -1.0, -1.0, "stop"), Hypothesis((B,), -1.0, -1.0, "length")]
    ranked = reranked(found, [-9.0, -1.0], kind="reverse", weight=1.0, length_penalty=0.0)
    assert [each.finish_reason for each in ranked] == ["stop", "length"]
