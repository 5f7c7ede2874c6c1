"""What a Keras engine does besides the contract: few static shapes, weights of half the size."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from model.config import SearchOptions
from model.engine.keras import KerasEngine, KerasState, load_network
from model.folder import load_folder
from model.generator import Generator
from model.search.requests import SearchRequest

BOS_ID = 2


@pytest.fixture(scope="module")
def engine(untrained_folder: Path) -> KerasEngine:
    return KerasEngine(load_network(load_folder(untrained_folder)), has_static_shapes=True)


def encoded(engine: KerasEngine, rows: int, source_len: int) -> KerasState:
    source_ids = np.random.default_rng(rows).integers(5, 20, (rows, source_len)).astype(np.int32)
    return engine.encode(source_ids, np.full(rows, source_len, np.int32), np.zeros(rows, bool))


def sizes(state: KerasState) -> tuple[int, ...]:
    return (*state.memory.mask.shape, *(len(each) for each in state.recurrent))


def steps(engine: KerasEngine, state: KerasState, rows: int, top_k: int = 3) -> KerasState:
    parents = np.arange(rows, dtype=np.int32) % state.rows
    return engine.step(state, parents, np.full(rows, BOS_ID, np.int32), top_k).state


def test_states_have_few_shapes(engine: KerasEngine) -> None:
    few = {sizes(encoded(engine, rows, length)) for rows in (1, 3, 8) for length in (2, 9, 16)}
    assert few == {(8, 16, 8)}
    state = encoded(engine, 3, 9)
    assert {sizes(steps(engine, state, rows)) for rows in (1, 5, 8)} == {(8, 16, 8)}
    assert sizes(steps(engine, state, 9)) == (16, 16, 16)


def test_joined_states_have_few_shapes(engine: KerasEngine) -> None:
    begun = steps(engine, encoded(engine, 7, 20), 7)
    joined = engine.join(begun, np.arange(7, dtype=np.int32), encoded(engine, 3, 9))
    assert sizes(joined) == (16, 32, 16)
    assert (joined.rows, joined.source_len) == (10, 20)
    assert sizes(steps(engine, joined, 4)) == (8, 32, 8)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts TensorFlow's traces")
def test_a_step_is_compiled_once_for_each_number_of_rows(untrained_folder: Path) -> None:
    engine = KerasEngine(load_network(load_folder(untrained_folder)), has_static_shapes=True)
    options = SearchOptions(beam_size=4, max_tokens=6)
    generator = Generator.load(untrained_folder, "keras")
    generator = Generator(generator.config, generator.tokenizer, engine)
    for count in (1, 2, 3, 5):
        generator.search([SearchRequest(None, (7, 8, 3), options)] * count)
    assert len(engine._step._list_all_concrete_functions()) <= 3  # of 8, 16 and 32 rows


def test_half_the_bytes_say_nearly_the_same(untrained_folder: Path) -> None:
    folder = load_folder(untrained_folder)
    engines = [
        KerasEngine(load_network(folder, dtype), has_static_shapes=True)
        for dtype in ("float32", "bfloat16")
    ]
    parents, tokens = np.arange(4, dtype=np.int32), np.full(4, BOS_ID, np.int32)
    whole, half = (
        engine.step(encoded(engine, 4, 6), parents, tokens, 10_000) for engine in engines
    )
    assert half.logprobs.dtype == np.float32
    np.testing.assert_allclose(np.exp(half.logprobs).sum(axis=1), 1.0, rtol=1e-5)
    exact, rough = (
        np.take_along_axis(each.logprobs, np.argsort(each.tokens, axis=1), axis=1)
        for each in (whole, half)
    )
    assert np.abs(exact - rough).mean() < 0.1
