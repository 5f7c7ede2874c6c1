"""What a search relies on, for every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.config import SearchOptions
from model.contract import Engine, Sequel, can_look_ahead
from model.engine import EngineName, load_engine
from model.engine.keras import KerasEngine, load_network
from model.engine.onnx import OnnxState
from model.folder import load_folder
from model.generator import Generator
from model.search.requests import SearchRequest
from model.tokenizer import EOS_ID

ENGINES = ["keras", "onnx", "onnx-int8"]


@pytest.fixture(scope="module", params=[*ENGINES, "keras, static shapes"])
def engine(request: pytest.FixtureRequest, exported_folder: Path) -> Engine:
    if request.param not in ENGINES:
        return KerasEngine(load_network(load_folder(exported_folder)), has_static_shapes=True)
    return load_engine(load_folder(exported_folder), request.param)


SOURCES = np.array([[6, 7, 8, 9, 3], [10, 11, 3, 0, 0], [12, 3, 0, 0, 0]], np.int32)
LENGTHS = np.array([5, 3, 2], np.int32)
ALL = np.arange(3, dtype=np.int32)
BOS = np.full(3, 2, np.int32)
FREE = np.zeros(3, bool)


def test_a_step_gives_the_likeliest_tokens_best_first(engine: Engine) -> None:
    result = engine.step(engine.encode(SOURCES, LENGTHS, FREE), ALL, BOS, top_k=4)
    assert result.tokens.shape == result.logprobs.shape == (3, 4)
    assert (np.diff(result.logprobs, axis=1) <= 0).all()
    assert result.attention_weights.shape == (3, 5)
    assert not result.attention_weights[2, 2:].any()


def test_all_of_the_vocabulary_is_a_distribution(engine: Engine) -> None:
    result = engine.step(engine.encode(SOURCES, LENGTHS, FREE), ALL, BOS, top_k=10_000)
    np.testing.assert_allclose(np.exp(result.logprobs).sum(axis=1), 1.0, rtol=1e-5)


def test_tokens_are_told_by_name_however_unlikely(engine: Engine) -> None:
    state = engine.encode(SOURCES, LENGTHS, FREE)
    everything = engine.step(state, ALL, BOS, top_k=10_000)
    wanted = everything.tokens[:, [-1, 0, 7]]
    result = engine.step(state, ALL, BOS, top_k=2, wanted=wanted)
    assert result.wanted_logprobs is not None
    np.testing.assert_allclose(
        result.wanted_logprobs, everything.logprobs[:, [-1, 0, 7]], rtol=1e-5
    )
    np.testing.assert_array_equal(result.tokens[:, :2], everything.tokens[:, :2])
    some = np.where([[True] * 3, [False] * 3, [True, False, True]], wanted, -1)
    told = engine.step(state, ALL, BOS, top_k=2, wanted=some).wanted_logprobs
    np.testing.assert_allclose(told[some >= 0], result.wanted_logprobs[some >= 0], rtol=1e-5)


def test_parents_reorder_repeat_and_drop_rows(engine: Engine) -> None:
    state = engine.step(engine.encode(SOURCES, LENGTHS, FREE), ALL, BOS, top_k=1).state
    tokens = np.array([5, 6, 7], np.int32)
    straight = engine.step(state, ALL, tokens, top_k=3)
    parents = np.array([2, 0, 0, 2], np.int32)
    moved = engine.step(state, parents, tokens[parents], top_k=3)
    np.testing.assert_array_equal(moved.tokens, straight.tokens[parents])
    np.testing.assert_allclose(moved.logprobs, straight.logprobs[parents], atol=1e-5)
    again = engine.step(moved.state, np.array([3, 1], np.int32), tokens[:2], top_k=3)
    expected = engine.step(straight.state, np.array([2, 0], np.int32), tokens[:2], top_k=3)
    np.testing.assert_array_equal(again.tokens, expected.tokens)


def test_some_sources_are_held_to_a_shortlist(exported_folder: Path) -> None:
    engine = load_engine(load_folder(exported_folder), "onnx-int8")
    free = engine.step(engine.encode(SOURCES, LENGTHS, FREE), ALL, BOS, top_k=1000)
    held = engine.step(engine.encode(SOURCES, LENGTHS, ~FREE), ALL, BOS, top_k=1000)
    some = np.array([False, True, False])
    mixed = engine.step(engine.encode(SOURCES, LENGTHS, some), ALL, BOS, top_k=1000)
    assert held.tokens.shape[1] == 32 < free.tokens.shape[1] == mixed.tokens.shape[1]
    np.testing.assert_array_equal(mixed.tokens[~some], free.tokens[~some])
    np.testing.assert_array_equal(mixed.tokens[some, :32], held.tokens[some])
    assert np.isneginf(mixed.logprobs[some, 32:]).all()
    # Among its candidates a source orders tokens as the whole vocabulary does.
    for row in range(3):
        kept = np.isin(free.tokens[row], held.tokens[row])
        np.testing.assert_array_equal(free.tokens[row, kept], held.tokens[row])


def test_sources_of_a_mixed_company_are_copied_once(exported_folder: Path) -> None:
    engine = load_engine(load_folder(exported_folder), "onnx-int8")
    some = np.array([False, True, False])
    first = engine.step(engine.encode(SOURCES, LENGTHS, some), ALL, BOS, top_k=3)
    parts = first.state.memory.parts
    second = engine.step(first.state, ALL, first.tokens[:, 0], top_k=3)
    assert second.state.memory.parts is parts
    fewer = np.array([0, 1], np.int32)  # the last leaves
    third = engine.step(second.state, fewer, second.tokens[:2, 0], top_k=3)
    for row in fewer:
        state, tokens = engine.encode(SOURCES[[row]], LENGTHS[[row]], some[[row]]), BOS[:1]
        for together in (first, second, third):
            alone = engine.step(state, ALL[:1], tokens, top_k=3)
            np.testing.assert_array_equal(together.logprobs[row], alone.logprobs[0])
            state, tokens = alone.state, alone.tokens[:, 0]


@pytest.mark.parametrize("parents", [[0], [0, 0], [1, 0, 1], [0, 1], [2, 0], [1, 2, 0]])
def test_newcomers_step_as_they_would_alone(engine: Engine, parents: list[int]) -> None:
    rows = np.array(parents, np.int32)
    two = engine.encode(SOURCES[:2], LENGTHS[:2], FREE[:2])
    third = engine.encode(SOURCES[2:], LENGTHS[2:], FREE[2:])
    begun = engine.step(engine.join(two, ALL[:2], third), ALL, BOS, 3).state
    newcomers = engine.encode(SOURCES[1:, :3], LENGTHS[1:], FREE[1:])
    tokens = np.array([5] * len(rows) + [2, 2], np.int32)
    apart = [
        engine.step(begun, rows, tokens[: len(rows)], top_k=3).tokens,
        engine.step(newcomers, ALL[:2], tokens[len(rows) :], top_k=3).tokens,
    ]
    state = engine.join(begun, rows, newcomers)
    joined = engine.step(state, np.arange(len(tokens), dtype=np.int32), tokens, top_k=3)
    np.testing.assert_array_equal(joined.tokens, np.concatenate(apart))


def twelve_and_one(engine: Engine) -> tuple[OnnxState, OnnxState]:
    """A state of so many sources, with room for more, and one of one source."""
    many, rows = np.tile(ALL, 4), np.arange(12, dtype=np.int32)
    one = engine.encode(SOURCES[2:], LENGTHS[2:], FREE[2:])
    return engine.join(engine.encode(SOURCES[many], LENGTHS[many], FREE[many]), rows, one), one


def test_newcomers_are_written_over_those_who_left(exported_folder: Path) -> None:
    engine = load_engine(load_folder(exported_folder), "onnx-int8")
    begun, one = twelve_and_one(engine)
    later = engine.join(begun, np.delete(np.arange(13, dtype=np.int32), 4), one)
    assert later.memory.room is begun.memory.room
    assert later.grid.row_lines[-1] == 4


def test_a_state_that_was_written_over_is_not_used(exported_folder: Path) -> None:
    engine = load_engine(load_folder(exported_folder), "onnx-int8")
    begun, one = twelve_and_one(engine)
    rows = np.arange(13, dtype=np.int32)
    later = engine.step(begun, rows, np.full(13, 2, np.int32), top_k=1).state
    engine.join(later, rows[1:], one)
    for state in (begun, later):
        with pytest.raises(ValueError, match="cannot be used again"):
            engine.step(state, rows, np.full(13, 2, np.int32), top_k=1)


WISHES: list[dict[str, Any]] = [
    {"options": SearchOptions(max_tokens=9)},
    {"options": SearchOptions(max_tokens=9, shortlist=False), "wants_attention": True},
    {"options": SearchOptions(max_tokens=9, no_repeat_ngram=2), "prefix_ids": (5, 6)},
    {"options": SearchOptions(max_tokens=9, temperature=0.8, seed=3), "wants_attention": True},
    {"options": SearchOptions(max_tokens=9, beam_size=3), "wants_attention": True},
    {"options": SearchOptions(max_tokens=9, beam_size=2, coverage_penalty=0.3)},
    {"options": SearchOptions(max_tokens=9, beam_size=4), "required": ((7,),)},
]


@pytest.mark.parametrize("wishes", [WISHES[:1], WISHES[:4], WISHES[4:5], WISHES])
def test_who_comes_and_goes_changes_no_answer(
    exported_folder: Path, wishes: list[dict[str, Any]]
) -> None:
    generator = Generator.load(exported_folder, "onnx-int8")
    draw = np.random.default_rng(0)
    requests = []
    for key in range(60):
        source = (*draw.integers(4, 16, draw.integers(1, 12)).tolist(), EOS_ID)
        requests.append(SearchRequest(key, source, **draw.choice(wishes)))
    search, waiting, answers = generator.new_search(), list(requests), {}
    while waiting or not search.is_idle:
        count = draw.integers(0, 6)
        search.add(waiting[:count])
        del waiting[:count]
        answers.update(search.step())
    for request in requests:
        (alone,) = generator.search([request])
        for found, expected in zip(answers[request.key], alone, strict=True):
            assert found.tokens == expected.tokens
            assert found.score == pytest.approx(expected.score, abs=1e-6)
            if request.wants_attention:
                np.testing.assert_array_equal(found.attention_weights, expected.attention_weights)


def test_what_lies_beyond_a_length_is_not_read(engine: Engine) -> None:
    dirty = SOURCES.copy()
    dirty[2, 2:] = 13
    clean = engine.step(engine.encode(SOURCES, LENGTHS, FREE), ALL, BOS, top_k=3)
    found = engine.step(engine.encode(dirty, LENGTHS, FREE), ALL, BOS, top_k=3)
    np.testing.assert_array_equal(found.logprobs, clean.logprobs)


@pytest.mark.parametrize("shortlist", [False, True])
@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("name", ENGINES)
def test_batches_change_no_answer(
    exported_folder: Path, name: EngineName, beam_size: int, shortlist: bool
) -> None:
    generator = Generator.load(exported_folder, name)
    options = SearchOptions(beam_size=beam_size, max_tokens=12, shortlist=shortlist)
    words = "hello there how are you what is your name my films music".split()
    draw = np.random.default_rng(0)
    sources = [" ".join(draw.choice(words, draw.integers(1, 9))) for _ in range(20)]
    alone = [generator.generate([source], options)[0][0].tokens for source in sources]
    for batch_size in (7, 20):
        together = generator.generate(sources, options, batch_size=batch_size)
        assert [candidates[0].tokens for candidates in together] == alone


@pytest.mark.parametrize("shortlist", [False, True])
@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("name", ["onnx", "onnx-int8"])
def test_steps_taken_at_once_are_those_taken_one_by_one(
    exported_folder: Path, name: EngineName, rows: int, shortlist: bool
) -> None:
    engine = load_engine(load_folder(exported_folder), name)
    assert can_look_ahead(engine)
    state = engine.encode(SOURCES[:1], LENGTHS[:1], np.array([shortlist]))
    parents, tokens = np.zeros(rows, np.int32), np.arange(5, 5 + rows, dtype=np.int32)
    totals = -np.arange(rows, dtype=np.float64) / 8
    ahead = engine.step_ahead(state, Sequel(parents, tokens, 6, totals, 7))
    assert 1 < len(ahead) <= 7
    for place in range(len(ahead)):
        result = engine.step(state, parents, tokens, 6)
        np.testing.assert_array_equal(ahead.tokens[place], result.tokens)
        np.testing.assert_array_equal(ahead.logprobs[place], result.logprobs)
        np.testing.assert_array_equal(ahead.attention_weights[place], result.attention_weights)
        if place + 1 < len(ahead):
            sums = (totals[:, None] + result.logprobs).ravel()
            best = np.argsort(-sums, kind="stable")[:rows]
            parents, totals = (best // 6).astype(np.int32), sums[best]
            tokens = result.tokens.ravel()[best]
            np.testing.assert_array_equal(ahead.parents[place], parents)
            np.testing.assert_array_equal(ahead.chosen[place], tokens)
            state = ahead.state(place)
