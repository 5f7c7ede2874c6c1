"""Search over tables of transition probabilities that a person can work out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config import SearchOptions
from model.errors import EngineError
from model.search.beams import length_penalty
from model.search.requests import Hypothesis, Request, SearchRequest
from model.search.search import Search
from model.types import Float32, Indices, Int32
from tests.engines import Table, TableEngine

A, B, EOS, BOS = range(4)
Answers = dict[object, tuple[Hypothesis, ...]]


# From BOS: A 0.6, B 0.4. A ends with 0.4 (or goes on to A 0.3, B 0.3); B ends with 0.9.
# Greedy takes A; a beam of 2 finds "B" with 0.4 * 0.9 = 0.36, above "A" with 0.6 * 0.4 = 0.24.
GARDEN_PATH = [
    [0.3, 0.3, 0.4, 0.0],
    [0.05, 0.05, 0.9, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [0.6, 0.4, 0.0, 0.0],
]
# Says A for ever: ends with 0.1 at each step.
CHATTERBOX = [
    [0.9, 0.0, 0.1, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 1.0, 0.0],
    [1.0, 0.0, 0.0, 0.0],
]


def run(
    engine: TableEngine,
    requests: Sequence[Request],
    joining: Callable[[], int] = lambda: 1000,
) -> Answers:
    """Runs a search; before every step `joining()` of the waiting requests join."""
    search, waiting, answers = Search(engine, bos_id=BOS, eos_id=EOS), list(requests), Answers()
    while waiting or not search.is_idle:
        count = joining()
        search.add(waiting[:count])
        del waiting[:count]
        answers.update(search.step())
    return answers


def answer(table: Sequence[Sequence[float]], **options: float) -> tuple[Hypothesis, ...]:
    request = SearchRequest("only", (0,), SearchOptions(**{"length_penalty": 0.0, **options}))
    return run(TableEngine(table), [request])["only"]


def test_greedy_takes_the_likeliest_token_at_each_step() -> None:
    (best,) = answer(GARDEN_PATH)
    assert best.tokens == (A,)
    assert best.finish_reason == "stop"
    assert math.exp(best.logprob) == pytest.approx(0.24, rel=1e-5)


def test_a_beam_finds_what_greedy_misses() -> None:
    first, second = answer(GARDEN_PATH, beam_size=2, n_best=2)
    assert (first.tokens, second.tokens) == ((B,), (A,))
    assert math.exp(first.score) == pytest.approx(0.36, rel=1e-5)


def test_a_length_penalty_divides_the_logprob() -> None:
    (best,) = answer(GARDEN_PATH, length_penalty=1.0)
    assert best.score == pytest.approx(best.logprob / ((5 + 2) / 6))


def test_a_length_penalty_favours_longer_hypotheses() -> None:
    def longest(alpha: float) -> int:
        found = answer(CHATTERBOX, beam_size=4, length_penalty=alpha, max_tokens=40)
        return len(found[0].tokens)

    assert longest(0.0) == 1
    assert longest(5.0) == 3  # each end takes a place of the four


def test_max_tokens_cuts_and_says_so() -> None:
    (best,) = answer(CHATTERBOX, max_tokens=7)
    assert best.tokens == (A,) * 7
    assert best.finish_reason == "length"


def test_min_tokens_holds_the_end_back() -> None:
    table = [[0.2, 0.0, 0.8, 0.0]] * 4
    assert answer(table)[0].tokens == ()
    assert answer(table, min_tokens=3)[0].tokens == (A, A, A)


def test_hypotheses_that_ended_themselves_come_before_cut_ones() -> None:
    found = answer(CHATTERBOX, beam_size=2, n_best=2, max_tokens=3)
    assert [each.finish_reason for each in found] == ["stop", "length"]


def test_a_table_of_not_a_number_is_an_error() -> None:
    with pytest.raises(EngineError, match="not a number"):
        answer([[float("nan")] * 4] * 4)


def test_a_blocked_token_is_never_said() -> None:
    search = Search(TableEngine(GARDEN_PATH), bos_id=BOS, eos_id=EOS, blocked_ids=(A,))
    search.add([SearchRequest("only", (0,), SearchOptions(max_tokens=4))])
    answers = [pair for _ in range(5) for pair in search.step()]
    assert [hypotheses[0].tokens for _, hypotheses in answers] == [(B,)]


def test_a_removed_request_leaves_and_the_others_go_on() -> None:
    search = Search(TableEngine(CHATTERBOX), bos_id=BOS, eos_id=EOS)
    options = SearchOptions(max_tokens=5)
    search.add([SearchRequest(key, (0,), options) for key in ("stays", "leaves")])
    search.step()
    search.remove({"leaves", "never came"})
    answers = [pair for _ in range(10) for pair in search.step()]
    assert [key for key, _ in answers] == ["stays"]


@pytest.mark.parametrize("has_neighbour", [False, True])
def test_a_beam_is_done_as_soon_as_nothing_can_overtake_its_answer(has_neighbour: bool) -> None:
    """A neighbour that leaves narrows the beam to the one hypothesis that still lives."""
    search = Search(TableEngine(CHATTERBOX), bos_id=BOS, eos_id=EOS)
    beam = SearchOptions(beam_size=2, length_penalty=0.0, max_tokens=60)
    search.add([SearchRequest("beam", (0,), beam)])
    if has_neighbour:
        search.add([SearchRequest("neighbour", (0,), SearchOptions(max_tokens=5))])
    answers, steps = Answers(), 0
    while not search.is_idle:
        answers.update(search.step())
        steps += 1
    assert answers["beam"][0].tokens == (A,)  # ends with 0.1
    assert steps == 23  # 0.9 ** 22 < 0.1


class FullTable(Table):
    """Has no memory for more than two slots."""

    def insert(self, slots: Indices, encoded: Int32, sources: Indices) -> None:
        if slots.max() > 1:
            raise MemoryError
        super().insert(slots, encoded, sources)


class FullEngine(TableEngine):
    def new_table(self, width: int, *, use_shortlist: bool) -> Table:
        return FullTable(self)


def test_who_finds_no_room_changes_nothing_for_the_others() -> None:
    engine = FullEngine(GARDEN_PATH, CHATTERBOX)
    staying = [
        SearchRequest("beam", (0,), SearchOptions(beam_size=2, n_best=2)),
        SearchRequest("greedy", (1,), SearchOptions(max_tokens=9)),
        SearchRequest("greedy too", (1,), SearchOptions(max_tokens=9)),
    ]
    late = [SearchRequest(size, (1,), SearchOptions(beam_size=size)) for size in (1, 2, 4)]
    search = Search(engine, bos_id=BOS, eos_id=EOS)
    search.add(staying)
    answers = dict(search.step())
    for _ in range(2):
        with pytest.raises(MemoryError):
            search.add(late)
        answers.update(search.step())
    while not search.is_idle:
        answers.update(search.step())
    assert answers == run(engine, staying)


def test_the_last_requests_move_to_lower_slots() -> None:
    """Slots that are free cost as much as others: at most every second one is."""
    moves: list[tuple[list[int], list[int]]] = []

    class CountingTable(Table):
        def move(self, origins: Indices, slots: Indices) -> None:
            moves.append((origins.tolist(), slots.tolist()))
            super().move(origins, slots)

    class CountingEngine(TableEngine):
        def new_table(self, width: int, *, use_shortlist: bool) -> Table:
            return CountingTable(self)

    lengths = [3, 3, 9, 3, 3, 3, 9, 9]
    requests = [
        SearchRequest(key, (1,), SearchOptions(beam_size=2, max_tokens=length, length_penalty=5.0))
        for key, length in enumerate(lengths)
    ]
    found = run(CountingEngine(GARDEN_PATH, CHATTERBOX), requests)
    assert moves == [([6, 7], [0, 1])]
    assert found == {
        key: run(TableEngine(GARDEN_PATH, CHATTERBOX), [request])[key]
        for key, request in enumerate(requests)
    }


def exhaustive(table: Float32, options: SearchOptions) -> tuple[tuple[int, ...], float]:
    """The best hypothesis of all that end within `max_tokens`, by trying each."""
    best: tuple[tuple[int, ...], float] = ((), -math.inf)
    stack: list[tuple[tuple[int, ...], float, int]] = [((), 0.0, BOS)]
    while stack:
        tokens, logprob, last = stack.pop()
        for token, step in enumerate(table[last].tolist()):
            length = len(tokens) + 1
            if token == EOS:
                score = (logprob + step) / float(
                    length_penalty(np.array([length], np.int32), options.length_penalty)[0]
                )
                best = max(best, (tokens, score), key=lambda each: each[1])
            elif length < options.max_tokens and math.isfinite(step):
                stack.append(((*tokens, token), logprob + step, token))
    return best


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), alpha=st.sampled_from([0.0, 0.6, 1.5]))
def test_a_beam_that_holds_everything_is_exhaustive(seed: int, alpha: float) -> None:
    draw = np.random.default_rng(seed)
    table = draw.dirichlet(np.ones(4), size=4)
    options = SearchOptions(beam_size=64, length_penalty=alpha, max_tokens=3)
    tokens, score = exhaustive(np.log(table.astype(np.float32)), options)
    best = run(TableEngine(table), [SearchRequest(0, (0,), options)])[0][0]
    assert best.score == pytest.approx(score, rel=1e-5)
    assert best.tokens == tokens


@st.composite
def search_requests(draw: st.DrawFn) -> SearchRequest:
    """A request with any options; its key stands for nothing yet."""
    beam_size, max_tokens = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    options = SearchOptions(
        beam_size=beam_size,
        n_best=draw(st.integers(1, beam_size)),
        length_penalty=draw(st.sampled_from([0.0, 0.6, 1.0])),
        min_tokens=draw(st.integers(0, min(3, max_tokens))),
        max_tokens=max_tokens,
        coverage_penalty=draw(st.sampled_from([0.0, 0.0, 0.5])),
        diversity=draw(st.sampled_from([0.0, 0.0, 0.7])),
        no_repeat_ngram=draw(st.sampled_from([0, 0, 1, 2, 3])),
        repetition_penalty=draw(st.sampled_from([1.0, 1.0, 1.5])),
        temperature=draw(st.sampled_from([0.0, 0.0, 0.0, 0.8, 2.0])),
        top_k=draw(st.sampled_from([0, 1, 3, 50])),
        top_p=draw(st.sampled_from([0.5, 1.0])),
        seed=draw(st.integers(0, 99)),
    )
    tokens = st.integers(4, 8)
    phrases = st.lists(st.lists(tokens, min_size=1, max_size=3), max_size=2)
    may_require = beam_size > 1 and options.temperature == 0
    return SearchRequest(
        key=None,
        source_ids=draw(st.lists(st.integers(0, 2), min_size=1, max_size=4)),
        options=options,
        prefix_ids=draw(st.lists(tokens, max_size=3)),
        blocked=draw(st.lists(st.lists(tokens, min_size=1, max_size=6), max_size=2)),
        required=draw(phrases) if may_require else (),
        with_attention=draw(st.booleans()),
    )


@settings(max_examples=150)
@given(requests=st.lists(search_requests(), min_size=1, max_size=12), seed=st.integers(0, 1000))
def test_company_never_changes_an_answer(requests: list[SearchRequest], seed: int) -> None:
    draw = np.random.default_rng(seed)
    engine = TableEngine(*(draw.dirichlet(np.ones(9) / 2, size=9) for _ in range(3)))
    wanted = [replace(request, key=i) for i, request in enumerate(requests)]
    alone = {request.key: run(engine, [request])[request.key] for request in wanted}
    together = run(engine, wanted)
    assert together == alone
    assert run(engine, wanted, joining=lambda: int(draw.integers(0, 4))) == alone
    for request in wanted:
        for one, other in zip(alone[request.key], together[request.key], strict=True):
            assert (one.attention_weights is None) == (not request.with_attention)
            np.testing.assert_array_equal(one.attention_weights, other.attention_weights)


@settings(max_examples=50)
@given(request=search_requests(), seed=st.integers(0, 1000))
def test_every_hypothesis_tells_where_it_looked(request: SearchRequest, seed: int) -> None:
    draw = np.random.default_rng(seed)
    engine = TableEngine(*(draw.dirichlet(np.ones(9) / 2, size=9) for _ in range(3)))
    found = run(engine, [replace(request, key=0, with_attention=True)])[0]
    for hypothesis in found:
        assert hypothesis.attention_weights is not None
        read = [BOS, *hypothesis.tokens]
        steps, length = len(hypothesis.attention_weights), len(request.source_ids)
        assert steps == len(read) if hypothesis.finish_reason == "stop" else len(read) - 1 <= steps
        looked = [np.arange(length) == token % length for token in read[:steps]]
        np.testing.assert_array_equal(hypothesis.attention_weights, looked)


def test_greedy_is_a_beam_of_one_step_by_step() -> None:
    draw = np.random.default_rng(5)
    for _ in range(20):
        table = draw.dirichlet(np.ones(8) / 2, size=8).astype(np.float32)
        expected, last = list[int](), BOS
        while len(expected) < 20 and (last := int(table[last].argmax())) != EOS:
            expected.append(last)
        options = SearchOptions(beam_size=1, max_tokens=20)
        found = run(TableEngine(table), [SearchRequest(0, (0,), options)])[0][0]
        assert found.tokens == tuple(expected)


def test_agreed_tokens_are_how_every_answer_begins() -> None:
    """Whatever the table: at each step, of each request, together with others."""
    draw = np.random.default_rng(11)
    engine = TableEngine(*draw.dirichlet(np.full(4, 0.2), (6, 4)) + 1e-6)
    requests = [
        SearchRequest(
            place,
            (place, 0),
            SearchOptions(
                beam_size=size,
                n_best=size if place % 2 else 1,
                max_tokens=8,
                temperature=heat,
                seed=1,
            ),
        )
        for place, (size, heat) in enumerate([(1, 0.0), (2, 0.0), (4, 0.0), (3, 2.0), (1, 1.0)])
    ]
    search, answers = Search(engine, bos_id=BOS, eos_id=EOS), Answers()
    told: dict[object, tuple[int, ...]] = {request.key: () for request in requests}
    search.add(requests)
    while not search.is_idle:
        answers.update(search.step())
        for key, tokens in search.final_tokens(
            {key: len(own) for key, own in told.items()}
        ).items():
            told[key] += tokens
    for key, hypotheses in answers.items():
        assert all(each.tokens[: len(told[key])] == told[key] for each in hypotheses)
    assert len(told[0]) >= len(answers[0][0].tokens) - 1
    assert any(told.values())
