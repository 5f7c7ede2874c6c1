"""What may be said next, against the rule as a person would check it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import SearchOptions
from model.contract import StepResult
from model.search.requests import Hypothesis, SearchRequest
from model.types import Int32
from tests.engines import Table, TableEngine
from tests.model.search.test_search import BOS, EOS, GARDEN_PATH, A, B, run, search_requests

WORDS = 9


class TellingAll(TableEngine):
    """Tells every token at every step, whatever it is asked for."""

    def new_table(self, width: int, *, use_shortlist: bool) -> Table:
        return TableOfAll(self)


class TableOfAll(Table):
    def step(
        self,
        parents: Int32 | None,
        tokens: Int32,
        top_k: int,
        wanted: Int32 | None = None,
        *,
        with_attention: bool = False,
    ) -> StepResult:
        return super().step(parents, tokens, WORDS, wanted, with_attention=with_attention)


def tables(seed: int) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.dirichlet(np.ones(WORDS) / 2, size=WORDS) for _ in range(3)]


def found(request: SearchRequest, seed: int) -> tuple[Hypothesis, ...]:
    return run(TableEngine(*tables(seed)), [replace(request, key=0)])[0]


def contains(tokens: Sequence[int], part: Sequence[int]) -> bool:
    starts = range(len(tokens) - len(part) + 1)
    return any(tuple(tokens[i : i + len(part)]) == tuple(part) for i in starts)


any_seed = st.integers(0, 1000)


@settings(max_examples=100)
@given(request=search_requests(), seed=any_seed)
def test_a_few_tokens_serve_as_well_as_all(request: SearchRequest, seed: int) -> None:
    all_told = run(TellingAll(*tables(seed)), [replace(request, key=0)])[0]
    assert found(request, seed) == all_told


@settings(max_examples=100)
@given(request=search_requests(), seed=any_seed, n=st.integers(1, 4))
def test_no_ngram_comes_twice(request: SearchRequest, seed: int, n: int) -> None:
    options = request.options.model_copy(update={"no_repeat_ngram": n})
    for hypothesis in found(replace(request, options=options, prefix_ids=()), seed):
        tokens = hypothesis.tokens
        ngrams = [tokens[i : i + n] for i in range(len(tokens) - n + 1)]
        assert len(set(ngrams)) == len(ngrams)


@settings(max_examples=100)
@given(request=search_requests(), seed=any_seed)
def test_a_blocked_sequence_is_never_said(request: SearchRequest, seed: int) -> None:
    for hypothesis in found(replace(request, prefix_ids=()), seed):
        assert not any(contains(hypothesis.tokens, words) for words in request.blocked)


@settings(max_examples=100)
@given(request=search_requests(), seed=any_seed)
def test_every_hypothesis_begins_with_the_prefix(request: SearchRequest, seed: int) -> None:
    prefix = tuple(request.prefix_ids)[: request.options.max_tokens]
    for hypothesis in found(request, seed):
        assert hypothesis.tokens[: len(prefix)] == prefix


def test_a_prefix_counts_in_the_score() -> None:
    request = SearchRequest(0, (0,), SearchOptions(length_penalty=0.0), prefix_ids=(B,))
    (best,) = run(TableEngine(GARDEN_PATH), [request])[0]
    assert best.tokens == (B,)
    assert np.exp(best.logprob) == pytest.approx(0.36, rel=1e-5)


@settings(max_examples=100)
@given(seed=any_seed, price=st.floats(1.0, 5.0))
def test_a_repetition_costs_its_price(seed: int, price: float) -> None:
    table = np.log(tables(seed)[0].astype(np.float32)).astype(np.float64)
    options = SearchOptions(repetition_penalty=price, max_tokens=10)
    (best,) = run(TableEngine(np.exp(table)), [SearchRequest(0, (0,), options)])[0]
    expected: list[int] = []
    last = BOS
    while len(expected) < 10:
        chances = table[last].copy()
        chances[expected] *= price
        last = int(chances.argmax())
        if last == EOS:
            break
        expected.append(last)
    assert best.tokens == tuple(expected)


def test_where_everything_is_forbidden_the_reply_ends() -> None:
    table = [[0.5, 0.4, 0.1, 0.0]] * 4
    options = SearchOptions(min_tokens=9, max_tokens=9, no_repeat_ngram=1)
    (best,) = run(TableEngine(table), [SearchRequest(0, (0,), options)])[0]
    assert best.tokens in itertools.permutations((A, B))
    assert best.finish_reason == "stop"


def test_diversity_holds_siblings_back() -> None:
    # A leads to three good ends, B to one: alone, a beam of 2 keeps two children of A.
    table = np.full((6, 6), 1e-6)
    table[BOS, [A, B]] = 0.7, 0.3
    table[A, [4, 5]] = 0.5, 0.5
    table[B, [4]] = 1.0
    table[[4, 5], EOS] = 1.0

    def firsts(diversity: float) -> set[int]:
        options = SearchOptions(beam_size=2, n_best=2, diversity=diversity, length_penalty=0.0)
        found = run(TableEngine(table), [SearchRequest(0, (0,), options)])[0]
        return {hypothesis.tokens[0] for hypothesis in found}

    assert firsts(0.0) == {A}
    assert firsts(1.0) == {A, B}


def test_coverage_prefers_who_looked_at_everything() -> None:
    # B, 5 looks at the second source word only; 4, 5 at both. See `TableEngine`.
    table = np.full((6, 6), 1e-6)
    table[BOS, [B, 4]] = 0.6, 0.4
    table[[B, 4], 5] = 1.0
    table[5, EOS] = 1.0

    def best(coverage_penalty: float) -> Hypothesis:
        options = SearchOptions(beam_size=2, coverage_penalty=coverage_penalty)
        request = SearchRequest(0, (0, 0), options, with_attention=True)
        return run(TableEngine(table), [request])[0][0]

    plain, covering = best(0.0), best(1.0)
    assert plain.tokens == (B, 5)
    assert covering.tokens == (4, 5)
    # BOS (3) looks at the second word, 4 at the first, 5 at the second
    np.testing.assert_array_equal(covering.attention_weights, [[0, 1], [1, 0], [0, 1]])
