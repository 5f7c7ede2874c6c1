"""What a Keras engine does besides the contract: few static shapes, all compiled beforehand; few
copies; weights of half the size."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from model.config import NetworkConfig, SearchOptions
from model.contract import Limits, StepResult
from model.engine import keras as keras_engine
from model.engine.keras import KerasEngine, KerasTable, load_network
from model.folder import load_folder
from model.networks.tokens import TokenSeq2Seq
from model.search.requests import Request, ScoringRequest, SearchRequest
from model.search.search import Search
from model.tokenizer import BOS_ID, EOS_ID


@pytest.fixture(scope="module")
def engine(untrained_folder: Path) -> KerasEngine:
    return KerasEngine(load_network(load_folder(untrained_folder)), has_static_shapes=True)


def inserted(engine: KerasEngine, rows: int, source_len: int, width: int = 1) -> KerasTable:
    source_ids = np.random.default_rng(rows).integers(5, 20, (rows, source_len)).astype(np.int32)
    lengths, places = np.full(rows, source_len, np.int32), np.arange(rows)
    table = engine.new_table(width, use_shortlist=False)
    table.insert(places, engine.encode(source_ids, lengths, np.zeros(rows, bool)), places)
    return table


def step(table: KerasTable, slots: int, top_k: int = 3, **options: Any) -> StepResult:
    return table.step(None, np.full((slots, 1), BOS_ID, np.int32), top_k, **options)


#: Everything in an option that may change the shape of a step.
WISHES: list[dict[str, Any]] = [
    {"options": SearchOptions(max_tokens=18)},
    {"options": SearchOptions(max_tokens=9), "with_attention": True},
    {"options": SearchOptions(max_tokens=9), "prefix_ids": (5, 6)},
    {"options": SearchOptions(max_tokens=5, temperature=0.8, top_k=0, seed=3)},
    {"options": SearchOptions(max_tokens=5, repetition_penalty=1.3, beam_size=2)},
    {"options": SearchOptions(max_tokens=9, beam_size=3, n_best=3, coverage_penalty=0.3)},
    {"options": SearchOptions(max_tokens=9, beam_size=4), "required": ((7,), (8, 9))},
    {"options": SearchOptions(max_tokens=18, beam_size=8), "required": (tuple(range(5, 23)),)},
]


@pytest.mark.parametrize(
    ("decoder", "limits"), [("recurrent", Limits(16, 20, 18)), ("transformer", Limits(20, 16, 18))]
)
def test_a_warm_engine_compiles_nothing(
    decoder: str, limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    keras.utils.set_random_seed(3)
    sizes = {"source_vocab_size": 40, "target_vocab_size": 40, "embedding_units": 8}
    units = {"encoder_units": 8, "decoder_units": 8, "heads": 2}
    parts = {"encoder": "transformer", "decoder": decoder}
    config = NetworkConfig.parse({**sizes, **units, **parts}, where="test")
    engine = KerasEngine(TokenSeq2Seq(config), has_static_shapes=True)
    engine.warm_up(limits)
    assert engine.compilations or keras.backend.backend() == "torch"
    with logged_programs():
        before = engine.compilations
        answer_all(engine, limits)
    assert engine.compilations == before
    assert not [each for each in caplog.messages if each.startswith("Compiling")]


def test_a_free_slot_needs_no_room() -> None:
    config = NetworkConfig(
        source_vocab_size=12,
        target_vocab_size=12,
        embedding_units=8,
        encoder="transformer",
        decoder="transformer",
        encoder_units=8,
        decoder_units=8,
        heads=2,
    )
    engine = KerasEngine(TokenSeq2Seq(config), has_static_shapes=True)
    engine.warm_up(Limits(16, 16, 16))
    before = engine.compilations
    lengths, slots = np.full(2, 3, np.int32), np.arange(2)
    encoded = engine.encode(np.full((2, 3), 5, np.int32), lengths, lengths > 3)
    table = engine.new_table(1, use_shortlist=False)

    def step(times: int) -> None:
        for _ in range(times):
            table.step(None, np.full((2, 1), 5, np.int32), top_k=2)

    table.insert(slots, encoded, slots)
    step(10)
    table.insert(slots[1:], encoded, slots[1:])
    table.free(slots[:1])
    step(16)
    assert engine.compilations == before


def logged_programs() -> AbstractContextManager[None]:
    """Logs whatever is compiled meanwhile, by anybody, if the backend can tell."""
    if keras.backend.backend() != "jax":
        return nullcontext()
    import jax

    return jax.log_compiles()


def answer_all(engine: KerasEngine, limits: Limits) -> None:
    """Searches for requests of all kinds and lengths within `limits`, which come and go."""
    draw = np.random.default_rng(0)
    waiting: list[Request] = []
    for number in range(40):
        source = (*draw.integers(4, 40, draw.integers(limits.source_tokens)).tolist(), EOS_ID)
        waiting.append(SearchRequest(number, source, **draw.choice(np.array(WISHES))))
    waiting.append(ScoringRequest(40, [((5, 6, 3), (7,) * n) for n in range(1, 17)]))
    search, rows = Search(engine, bos_id=BOS_ID, eos_id=EOS_ID), dict[Hashable, int]()
    while waiting or rows:
        while waiting and sum(rows.values()) + waiting[-1].rows <= limits.rows:
            request = waiting.pop()
            rows[request.key] = request.rows
            search.add([request])
        for key, _ in search.step():
            del rows[key]


def test_what_is_beyond_the_limits_is_compiled_when_it_comes(untrained_folder: Path) -> None:
    engine = KerasEngine(load_network(load_folder(untrained_folder)), has_static_shapes=True)
    engine.warm_up(Limits(rows=16, source_tokens=8, target_tokens=4))
    before, table = engine.compilations, inserted(engine, 2, 4)
    beyond = engine.encode(np.full((1, 30), 6, np.int32), np.array([30]), np.zeros(1, bool))
    table.insert(np.array([1]), beyond, np.array([0]))
    mixed = step(table, 2)
    assert engine.compilations > before or keras.backend.backend() == "torch"
    np.testing.assert_allclose(
        mixed.logprobs[0], step(inserted(engine, 2, 4), 2).logprobs[0], atol=1e-5
    )


def test_a_step_is_one_copy_to_the_host(
    engine: KerasEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies: list[object] = []
    copy = keras_engine._array

    def counted(tensor: object) -> object:
        copies.append(tensor)
        return copy(tensor)

    monkeypatch.setattr(keras_engine, "_array", counted)
    table = inserted(engine, 3, 5)
    assert not copies
    wanted = np.full((3, 1, 2), 7, np.int32)
    for options in ({}, {"wanted": wanted}, {"top_k": 40, "wanted": wanted}):
        copies.clear()
        step(table, 3, **options)
        assert len(copies) == 1
    copies.clear()
    assert step(table, 3, with_attention=True).attention_weights is not None
    assert len(copies) == 2


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX can")
def test_a_step_writes_over_the_state_before(engine: KerasEngine) -> None:
    table = inserted(engine, 3, 5)
    before = table._tensors
    step(table, 3)
    assert [each.is_deleted() for each in before] == [False] * 3 + [True] * (len(before) - 3)


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
