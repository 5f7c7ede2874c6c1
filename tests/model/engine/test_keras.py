"""What a Keras engine does besides the contract: few static shapes, weights of half the size."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from model.config import SearchOptions
from model.contract import StepResult
from model.engine.keras import EncodedSources, KerasEngine, KerasTable, load_network
from model.folder import load_folder
from model.generator import Generator
from model.search.requests import SearchRequest

BOS_ID = 2


@pytest.fixture(scope="module")
def engine(untrained_folder: Path) -> KerasEngine:
    return KerasEngine(load_network(load_folder(untrained_folder)), has_static_shapes=True)


def encoded(engine: KerasEngine, rows: int, source_len: int) -> EncodedSources:
    source_ids = np.random.default_rng(rows).integers(5, 20, (rows, source_len)).astype(np.int32)
    return engine.encode(source_ids, np.full(rows, source_len, np.int32), np.zeros(rows, bool))


def inserted(engine: KerasEngine, rows: int, source_len: int, width: int = 1) -> KerasTable:
    table, places = engine.new_table(width, use_shortlist=False), np.arange(rows)
    table.insert(places, encoded(engine, rows, source_len), places)
    return table


def sizes(table: KerasTable) -> tuple[int, ...]:
    return (*table._memory[-1].shape, *(len(each) for each in table._state))


def step(table: KerasTable, slots: int, width: int = 1, top_k: int = 3) -> StepResult:
    return table.step(None, np.full((slots, width), BOS_ID, np.int32), top_k)


def test_tables_have_few_shapes(engine: KerasEngine) -> None:
    few = {sizes(inserted(engine, rows, length)) for rows in (1, 3, 8) for length in (2, 9, 16)}
    assert few == {(8, 16, 8)}
    table = inserted(engine, 9, 20)
    assert sizes(table) == (16, 32, 16)
    for slots, size in ((9, 16), (7, 8), (1, 8)):
        step(table, slots)
        assert sizes(table) == (size, 32, size)
    table.insert(np.arange(1, 3), encoded(engine, 2, 3), np.arange(2))
    assert sizes(table) == (8, 32, 8)
    assert sizes(inserted(engine, 3, 9, width=3)) == (16, 16, 16)  # 3 slots of 3 rows


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
    whole, half = (step(inserted(engine, 4, 6), 4, top_k=10_000) for engine in engines)
    assert half.logprobs.dtype == np.float32
    np.testing.assert_allclose(np.exp(half.logprobs).sum(axis=2), 1.0, rtol=1e-5)
    exact, rough = (
        np.take_along_axis(each.logprobs, np.argsort(each.tokens, axis=2), axis=2)
        for each in (whole, half)
    )
    assert np.abs(exact - rough).mean() < 0.1
