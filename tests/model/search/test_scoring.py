"""Scores of given targets, on tables of transition probabilities that a person can work out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.config import SearchOptions
from model.errors import EngineError
from model.search.requests import ScoringRequest, SearchRequest
from model.search.search import Search
from model.types import Bool, Int32
from tests.engines import TableEngine
from tests.model.search.test_search import BOS, CHATTERBOX, EOS, GARDEN_PATH, A, B, run

#: Sources of one id: that of the table that scores.
GARDEN, CHATTER = (0,), (1,)

pairs = st.tuples(st.sampled_from([GARDEN, CHATTER]), st.lists(st.sampled_from([A, B]), max_size=6))


def engine() -> TableEngine:
    return TableEngine(GARDEN_PATH, CHATTERBOX)


def probability(source_ids: Sequence[int], target_ids: Sequence[int]) -> float:
    """By hand."""
    table = (GARDEN_PATH, CHATTERBOX)[source_ids[0]]
    steps = itertools.pairwise([BOS, *target_ids, EOS])
    return math.prod(table[last][token] for last, token in steps)


@pytest.mark.parametrize(
    ("target_ids", "expected"),
    [((B,), 0.4 * 0.9), ((A, B), 0.6 * 0.3 * 0.9), ((B, A), 0.4 * 0.05 * 0.4)],
)
def test_a_given_target_is_scored(target_ids: Sequence[int], expected: float) -> None:
    (found,) = run(engine(), [ScoringRequest(None, [(GARDEN, target_ids)])])[None]
    assert found.tokens == tuple(target_ids)
    assert found.finish_reason == "stop"
    assert math.exp(found.logprob) == pytest.approx(expected, rel=1e-5)
    assert found.score == found.logprob


@given(
    st.lists(st.lists(pairs, min_size=1, max_size=5), min_size=1, max_size=5),
    st.lists(st.integers(0, 3), min_size=1),
)
def test_requests_that_come_and_go_are_scored_as_each_pair_alone(
    wanted: list[list[tuple[tuple[int, ...], list[int]]]], joining: list[int]
) -> None:
    requests = [ScoringRequest(key, own) for key, own in enumerate(wanted)]
    counts = itertools.chain(joining, itertools.repeat(1))
    answers = run(engine(), requests, lambda: next(counts))
    for key, own in enumerate(wanted):
        assert [each.tokens for each in answers[key]] == [tuple(target) for _, target in own]
        found = [math.exp(each.logprob) for each in answers[key]]
        assert found == pytest.approx([probability(*pair) for pair in own], rel=1e-4)


def test_tokens_have_logprobs_and_likelier_tokens_where_requested() -> None:
    search = Search(engine(), bos_id=BOS, eos_id=EOS, blocked_ids=[A])
    search.add(
        [
            ScoringRequest("short", [(GARDEN, [])] * 5),
            ScoringRequest("top", [(GARDEN, [A, B])], top=1),
            ScoringRequest("no top", [(CHATTER, [A, A])], top=0),
        ]
    )
    answers = dict(search.step() + search.step() + search.step())  # the first makes others move
    assert [each.token_logprobs for each in answers["short"]] == [()] * 5
    found = {
        key: [
            (
                token,
                round(math.exp(logprob), 5),
                [(each, round(math.exp(p), 5)) for each, p in best],
            )
            for (hypothesis,) in [answers[key]]
            for token, logprob, best in hypothesis.token_logprobs
        ]
        for key in ("top", "no top")
    }
    assert found["top"] == [(A, 0.6, [(B, 0.4)]), (B, 0.3, [(EOS, 0.4)])]
    assert found["no top"] == [(A, 1.0, []), (A, 0.9, [])]


def test_scoring_and_searching_disturb_each_other_in_nothing() -> None:
    options = SearchOptions(beam_size=2, n_best=2, length_penalty=0.0)
    searching = SearchRequest("search", GARDEN, options)
    scoring = ScoringRequest("score", [(GARDEN, [A]), (CHATTER, [A, A]), (GARDEN, [A])])
    together = run(engine(), [searching, scoring])
    assert together["search"] == run(engine(), [searching])["search"]
    assert together["score"] == run(engine(), [scoring])["score"]


def test_equal_sources_are_encoded_once() -> None:
    encoded: list[list[list[int]]] = []

    class RecordingEngine(TableEngine):
        def encode(self, source_ids: Int32, source_lengths: Int32, use_shortlist: Bool) -> Int32:
            encoded.append(source_ids.tolist())
            return super().encode(source_ids, source_lengths, use_shortlist)

    search = Search(RecordingEngine(GARDEN_PATH, CHATTERBOX), bos_id=BOS, eos_id=EOS)
    search.add([ScoringRequest(0, [(GARDEN, [A]), (CHATTER, [A]), (GARDEN, [B])])])
    assert encoded == [[[0], [1]]]


def test_a_removed_request_is_not_answered() -> None:
    search = Search(engine(), bos_id=BOS, eos_id=EOS)
    search.add(
        [ScoringRequest("goes", [(GARDEN, [A] * 4)] * 5), ScoringRequest("stays", [(GARDEN, [B])])]
    )
    search.remove({"goes"})
    answers = dict(search.step() + search.step())
    assert answers.keys() == {"stays"} and search.is_idle


def test_a_broken_network_is_an_error() -> None:
    broken = engine()
    broken.logprobs[:] = np.nan
    with pytest.raises(EngineError, match="not a number"):
        run(broken, [ScoringRequest(None, [(GARDEN, [])])])
