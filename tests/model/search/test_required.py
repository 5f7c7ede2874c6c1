"""Words that must be said, against what a person would work out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from model.config import SearchOptions
from model.errors import ConfigError
from model.search.requests import Hypothesis, SearchRequest
from model.search.required import PhraseConstraints, allocate_beam
from tests.engines import TableEngine
from tests.model.search.test_constraints import any_seed, contains, found, tables
from tests.model.search.test_search import (
    BOS,
    CHATTERBOX,
    EOS,
    GARDEN_PATH,
    A,
    B,
    run,
    search_requests,
)


def answers(table: ArrayLike, *required: Sequence[int], **options: float) -> tuple[Hypothesis, ...]:
    own = SearchOptions(**{"beam_size": 2, "length_penalty": 0.0, "max_tokens": 6, **options})
    return run(TableEngine(table), [SearchRequest("only", (0,), own, required=required)])["only"]


def test_a_required_word_is_said_though_it_is_not_likely() -> None:
    # Without it "B" is best, 0.4 * 0.9. With A: "A" 0.6 * 0.4 = 0.24, or "BA" 0.4 * 0.05 * 0.4.
    (best,) = answers(GARDEN_PATH, [A])
    assert best.tokens == (A,)
    assert math.exp(best.logprob) == pytest.approx(0.24, rel=1e-5)


def test_words_are_said_in_the_order_that_is_likelier() -> None:
    # "AB": 0.6 * 0.3 * 0.9 = 0.162, "BA": 0.4 * 0.05 * 0.4 = 0.008
    (best,) = answers(GARDEN_PATH, [B], [A], beam_size=4)
    assert best.tokens == (A, B)
    assert math.exp(best.logprob) == pytest.approx(0.162, rel=1e-5)


def test_a_phrase_is_said_in_a_row() -> None:
    (best,) = answers(GARDEN_PATH, [B, A], beam_size=4)
    assert best.tokens == (B, A)


def test_nothing_ends_before_all_is_said() -> None:
    (cut,) = answers(CHATTERBOX, [A, A, A], max_tokens=2)
    assert cut.tokens == (A, A)
    assert cut.finish_reason == "length"


def test_of_cut_ones_those_come_first_that_hold_all() -> None:
    table = [[0.5, 0.5, 0.0, 0.0], [0.9, 0.1, 0.0, 0.0], [0.0] * 4, [0.9, 0.1, 0.0, 0.0]]
    first, second = answers(table, [B, B], beam_size=2, n_best=2, max_tokens=3)
    assert (first.contains_required, second.contains_required) == (True, False)
    assert first.score < second.score


def test_what_is_blocked_and_required_is_never_done() -> None:
    options = SearchOptions(beam_size=2, max_tokens=4)
    request = SearchRequest(0, (0,), options, blocked=[[B]], required=[[B]])
    (cut,) = run(TableEngine(GARDEN_PATH), [request])[0]
    assert cut.finish_reason == "length"


@pytest.mark.parametrize("options", [{"beam_size": 1}, {"beam_size": 4, "temperature": 1.0}])
def test_words_cannot_be_required_without_a_beam(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="beam_size >= 2 and temperature = 0"):
        SearchRequest(0, (0,), SearchOptions(**options), required=[[A]])


@settings(max_examples=150)
@given(request=search_requests(), seed=any_seed)
def test_whatever_ends_itself_holds_all(request: SearchRequest, seed: int) -> None:
    assume(request.required)
    hypotheses = found(request, seed)
    assert hypotheses
    for hypothesis in hypotheses:
        if hypothesis.finish_reason == "stop":
            assert all(contains(hypothesis.tokens, phrase) for phrase in request.required)


@settings(max_examples=40)
@given(seed=any_seed, phrase=st.lists(st.sampled_from([A, B]), min_size=1, max_size=2))
def test_a_wide_beam_finds_the_best_of_all_that_hold_it(seed: int, phrase: list[int]) -> None:
    table = np.random.default_rng(seed).dirichlet(np.ones(4), size=4)
    logprobs = np.log(table.astype(np.float32)).astype(np.float64)
    best = -math.inf
    stack: list[tuple[tuple[int, ...], float, int]] = [((), 0.0, BOS)]
    while stack:
        tokens, logprob, last = stack.pop()
        if contains(tokens, phrase):
            best = max(best, logprob + logprobs[last, EOS])
        if len(tokens) < 2:
            following = (token for token in range(len(table)) if token != EOS)
            stack += [((*tokens, t), logprob + logprobs[last, t], t) for t in following]
    (answer,) = answers(table, phrase, beam_size=64, max_tokens=3)
    assert answer.logprob == pytest.approx(best, rel=1e-5)


def test_others_are_served_as_if_nothing_were_required() -> None:
    table = tables(3)[0]
    plain = SearchRequest("plain", (0,), SearchOptions(beam_size=3, n_best=3, max_tokens=8))
    greedy = SearchRequest("greedy", (0,), SearchOptions(max_tokens=8))
    asking = SearchRequest("asks", (0,), SearchOptions(beam_size=4), required=[[4, 5], [6]])
    together = run(TableEngine(table), [plain, asking, greedy])
    for request in (plain, greedy):
        alone = run(TableEngine(table), [replace(request)])
        assert together[request.key] == alone[request.key]


def progress_after(phrases: Sequence[Sequence[int]], said: Sequence[int]) -> list[int]:
    options = SearchOptions(beam_size=2)
    constraints = PhraseConstraints([SearchRequest(0, (0,), options, required=phrases)])
    progress, request = np.zeros((1, len(phrases)), np.int32), np.zeros(1, np.intp)
    for token in said:
        progress = constraints.after(progress, request, np.array([[token]], np.int32))[:, 0]
    return progress[0].tolist()


def test_a_phrase_that_breaks_off_goes_on_from_what_still_fits() -> None:
    assert progress_after([[7, 7, 8]], [7, 7, 7]) == [2]
    assert progress_after([[7, 7, 8]], [7, 7, 7, 8]) == [3]
    assert progress_after([[7, 7, 8]], [7, 9]) == [0]


def test_a_word_is_finished_though_others_begin_alike() -> None:
    # 4, 5, 6 and 4, 7, 8 begin alike; only a hypothesis that goes on with one of them gets further.
    table = np.full((9, 9), 1e-4)
    table[:, 4] = 1.0
    table[[6, 8], EOS] = 1.0
    (best,) = answers(table / table.sum(axis=1)[:, None], [4, 5, 6], [4, 7, 8], max_tokens=9)
    assert best.finish_reason == "stop"


def test_phrases_may_overlap_and_stay_said() -> None:
    assert progress_after([[5, 6], [6, 7]], [5, 6, 7, 9]) == [2, 2]
    assert progress_after([[5, 6], [6, 7]], [5, 6]) == [2, 1]


def test_places_are_dealt_out_among_the_banks() -> None:
    logprobs = np.array([[-1.0, -2.0, -3.0, -9.0, -np.inf, -8.0]])
    banks = np.array([[0, 0, 0, 1, 2, 1]])
    assert allocate_beam(logprobs, banks, 4).tolist() == [[5, 0, 3, 1]]
