"""What a search relies on, for every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.config import SearchOptions
from model.contract import Engine, StateTable, wanted_logprobs
from model.engine import EngineName, load_engine
from model.engine.keras import KerasEngine, load_network
from model.folder import load_folder
from model.generator import Generator
from model.search.requests import SearchRequest
from model.tokenizer import EOS_ID
from tests.model.search.test_search import Answers

ENGINES = ["keras", "onnx", "onnx-int8"]


@pytest.fixture(scope="module", params=[*ENGINES, "keras, static shapes"])
def engine(request: pytest.FixtureRequest, exported_folder: Path) -> Engine:
    if request.param not in ENGINES:
        return KerasEngine(load_network(load_folder(exported_folder)), has_static_shapes=True)
    return load_engine(load_folder(exported_folder), request.param)


SOURCES = np.array([[6, 7, 8, 9, 3], [10, 11, 3, 0, 0], [12, 3, 0, 0, 0]], np.int32)
LENGTHS = np.array([5, 3, 2], np.int32)
ALL = np.arange(3)
BOS = np.full((3, 1), 2, np.int32)


def inserted(
    engine: Engine, places: list[int] | None = None, *, width: int = 1, short: bool = False
) -> StateTable:
    """A table with the sources of those places in its first slots."""
    rows = ALL if places is None else np.array(places)
    use_shortlist = np.full(len(rows), short)
    table = engine.new_table(width, use_shortlist=short)
    encoded = engine.encode(SOURCES[rows], LENGTHS[rows], use_shortlist)
    table.insert(np.arange(len(rows)), encoded, np.arange(len(rows)))
    return table


def test_a_step_gives_the_likeliest_tokens_best_first(engine: Engine) -> None:
    result = inserted(engine).step(None, BOS, top_k=4)
    assert result.tokens.shape == result.logprobs.shape == (3, 1, 4)
    assert result.wanted_logprobs is None
    assert result.attention_weights is None
    assert (np.diff(result.logprobs, axis=2) <= 0).all()


def test_attention_is_told_to_those_who_ask(engine: Engine) -> None:
    weights = inserted(engine).step(None, BOS, top_k=4, with_attention=True).attention_weights
    assert weights is not None
    np.testing.assert_allclose(weights.sum(axis=2), 1.0, rtol=1e-5)
    assert not weights[2, :, 2:].any()


def test_any_number_of_tokens_may_be_wanted(engine: Engine) -> None:
    everything = inserted(engine).step(None, BOS, top_k=10_000)
    wanted = np.ascontiguousarray(everything.tokens[:, :, ::-1][:, :, :37])
    for top_k in (1, 10_000):
        told = inserted(engine).step(None, BOS, top_k, wanted).wanted_logprobs
        assert told is not None
        np.testing.assert_allclose(told, everything.logprobs[:, :, ::-1][:, :, :37], rtol=1e-5)


def test_all_of_the_vocabulary_is_a_distribution(engine: Engine) -> None:
    result = inserted(engine).step(None, BOS, top_k=10_000)
    np.testing.assert_allclose(np.exp(result.logprobs).sum(axis=2), 1.0, rtol=1e-5)


def test_tokens_are_told_by_name_however_unlikely(engine: Engine) -> None:
    everything = inserted(engine).step(None, BOS, top_k=10_000)
    wanted = everything.tokens[:, :, [-1, 0, 7]]
    result = inserted(engine).step(None, BOS, top_k=2, wanted=wanted)
    assert result.wanted_logprobs is not None
    np.testing.assert_allclose(
        result.wanted_logprobs, everything.logprobs[:, :, [-1, 0, 7]], rtol=1e-5
    )
    np.testing.assert_array_equal(result.tokens[:, :, :2], everything.tokens[:, :, :2])
    is_wanted = np.array([[True] * 3, [False] * 3, [True, False, True]])[:, None]
    some = np.where(is_wanted, wanted, np.int32(-1))
    told = wanted_logprobs(inserted(engine).step(None, BOS, top_k=2, wanted=some))
    np.testing.assert_allclose(told[some >= 0], result.wanted_logprobs[some >= 0], rtol=1e-5)


def test_parents_reorder_and_repeat_the_rows_of_their_slot(engine: Engine) -> None:
    table = inserted(engine, width=4)
    tokens = np.tile(np.array([5, 6, 7, 8], np.int32), (3, 1))
    table.step(None, tokens, top_k=3)
    straight = table.step(None, tokens, top_k=3, with_attention=True)
    again = inserted(engine, width=4)
    again.step(None, tokens, top_k=3)
    own = np.array([[2, 0, 0, 3], [0, 1, 2, 3], [1, 1, 1, 0]], np.int32)
    parents = own + 4 * np.arange(3, dtype=np.int32)[:, None]
    fed = np.take_along_axis(tokens, own, axis=1)
    moved = again.step(parents, fed, top_k=3, with_attention=True)
    for name in ("tokens", "logprobs", "attention_weights"):
        expected = np.take_along_axis(getattr(straight, name), own[:, :, None], axis=1)
        np.testing.assert_array_equal(getattr(moved, name), expected)


def test_a_source_is_held_to_its_shortlist(exported_folder: Path) -> None:
    engine = load_engine(load_folder(exported_folder), "onnx-int8")
    assert engine.has_shortlist
    free = inserted(engine).step(None, BOS, top_k=1000)
    held = inserted(engine, short=True).step(None, BOS, top_k=1000)
    assert held.tokens.shape[2] == 32 < free.tokens.shape[2]
    # Among its candidates a source orders tokens as the whole vocabulary does.
    for row in range(3):
        kept = np.isin(free.tokens[row, 0], held.tokens[row, 0])
        np.testing.assert_array_equal(free.tokens[row, 0, kept], held.tokens[row, 0])


def test_many_rows_with_shortlists_say_what_few_say(exported_folder: Path) -> None:
    engine = load_engine(load_folder(exported_folder), "onnx-int8")
    places = [0, 1, 2, 1, 0, 2, 2, 1, 0]
    table = inserted(engine, places, short=True)
    tokens = np.array([[2, 5, 6, 7, 8, 9, 10, 11, 12]], np.int32).T
    many = [table.step(None, tokens, top_k=32) for _ in range(2)]
    many.append(table.step(None, tokens[:3], top_k=32))  # from now on few
    for row, place in enumerate(places):
        alone = inserted(engine, [place], short=True)
        for result in many[: 3 if row < 3 else 2]:
            expected = alone.step(None, tokens[row : row + 1], top_k=32)
            np.testing.assert_array_equal(result.tokens[row], expected.tokens[0])
            np.testing.assert_array_equal(result.logprobs[row], expected.logprobs[0])


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("width", [1, 3])
def test_newcomers_step_as_they_would_alone(engine: Engine, width: int, short: bool) -> None:
    """Over free slots, beyond the others, and where others have moved."""
    tokens = np.tile(np.array([5, 6, 7], np.int32)[:width], (4, 1))
    table = inserted(engine, [0, 1, 2], width=width, short=short)
    table.step(None, tokens[:3], top_k=3)
    two = np.array([1, 2])
    encoded = engine.encode(SOURCES[two, :3], LENGTHS[two], np.full(2, short))
    table.insert(np.array([1, 3]), encoded, np.array([0, 1]))  # the second source has left
    alone = [inserted(engine, [place], width=width, short=short) for place in (0, 1, 2, 2)]
    for place in (0, 2):
        alone[place].step(None, tokens[:1], top_k=3)

    def check(places: list[int]) -> None:
        result = table.step(None, tokens[: len(places)], top_k=3)
        for row, place in enumerate(places):
            expected = alone[place].step(None, tokens[:1], top_k=3)
            np.testing.assert_array_equal(result.tokens[row], expected.tokens[0])
            np.testing.assert_allclose(result.logprobs[row], expected.logprobs[0], atol=1e-5)

    check([0, 1, 2, 3])
    table.move(np.array([3]), np.array([0]))  # the first source has left
    check([3, 1, 2])


WISHES: list[dict[str, Any]] = [
    {"options": SearchOptions(max_tokens=9)},
    {"options": SearchOptions(max_tokens=9, shortlist=False), "with_attention": True},
    {"options": SearchOptions(max_tokens=9, no_repeat_ngram=2), "prefix_ids": (5, 6)},
    {"options": SearchOptions(max_tokens=9, temperature=0.8, seed=3), "with_attention": True},
    {"options": SearchOptions(max_tokens=9, beam_size=3), "with_attention": True},
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
        requests.append(SearchRequest(key, source, **draw.choice(np.array(wishes))))
    search, waiting, answers = generator.new_search(), list(requests), Answers()
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
            if request.with_attention:
                np.testing.assert_array_equal(found.attention_weights, expected.attention_weights)


def test_what_lies_beyond_a_length_is_not_read(engine: Engine) -> None:
    dirty = SOURCES.copy()
    dirty[2, 2:] = 13
    table = engine.new_table(1, use_shortlist=False)
    table.insert(ALL, engine.encode(dirty, LENGTHS, np.zeros(3, bool)), ALL)
    clean, found = (each.step(None, BOS, top_k=3) for each in (inserted(engine), table))
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
