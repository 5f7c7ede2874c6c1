from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.decoding import worker
from app.decoding.messages import Hypotheses, WorkerConfig
from app.errors import DeadlineExceeded, Overloaded
from app.settings import Settings
from model.config import SearchOptions
from model.contract import Engine, StepResult
from model.folder import ModelFolder
from model.generator import Generator
from tests.app.fakes import SteppedEngine, let_time_pass, loaded, loop
from tests.conftest import PATIENCE_SECONDS
from tests.engines import TableEngine


class RecordingEngine(TableEngine):
    """Remembers how many rows and tokens it was asked for."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__(loop(vocab_size, 7))
        self.asked: set[tuple[int, int]] = set()

    def step(self, sources: Any, tokens: Any, top_k: int, wanted: Any = None) -> StepResult:
        self.asked.add((tokens.size, top_k))
        return super().step(sources, tokens, top_k, wanted)


def test_a_model_is_warm_for_greedy_and_beam_search_before_it_serves(
    make_generator: Callable[[Engine], Generator], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = RecordingEngine(vocab_size=20)
    monkeypatch.setattr(worker, "load_engine", lambda *_, **__: engine)
    folder = ModelFolder(Path("tiny"), make_generator(engine).config.model_dump())
    limits = {"max_rows": 64, "max_beam_size": 16, "max_tokens": 256}
    worker.load_warm_engine(
        folder, WorkerConfig(folder.path, folder.document, "auto", threads=1, **limits)
    )
    rows = {rows for rows, _ in engine.asked}
    assert {1, 2} <= rows  # greedy, alone and in company
    assert max(rows) > 4  # the beams of two requests
    assert (engine.limits.rows, engine.limits.target_tokens) == (64, 256)


def test_a_second_model_ranks_as_it_does_offline(
    make_generator: Callable[[Engine], Generator], table_engine: TableEngine
) -> None:
    first = make_generator(table_engine)
    second = make_generator(TableEngine(loop(first.tokenizer.target_vocab_size, 7)))
    generator = Generator(first.config, first.tokenizer, first.engine, rerank_generator=second)
    options = SearchOptions(beam_size=4, n_best=3, rerank_weight=2.0, max_tokens=16)
    template = generator.template(options)
    (expected,) = generator.answer(["hello"], template)
    plain = generator.search([replace(template, source_ids=first.tokenizer.source_ids("hello"))])[0]
    assert [each.score for each in expected] != [each.score for each in plain]

    request = replace(template, source_ids=first.tokenizer.source_ids("hello"))

    async def ask() -> Hypotheses:
        model = loaded(generator, Settings())
        await model.open()
        try:
            return await model.answer(request, ["hello"], timeout_seconds=PATIENCE_SECONDS)
        finally:
            await model.close()

    found = asyncio.run(ask())
    assert found == expected
    assert len(found) == 3


@pytest.mark.parametrize("ends", ["late", "refused"])
def test_where_scoring_fails_nothing_of_it_is_left(
    make_generator: Callable[[Engine], Generator], table_engine: TableEngine, ends: str
) -> None:
    first = make_generator(table_engine)
    still = SteppedEngine(loop(first.tokenizer.target_vocab_size, 7))  # scores nothing
    generator = Generator(
        first.config, first.tokenizer, first.engine, rerank_generator=make_generator(still)
    )
    options = SearchOptions(beam_size=4, n_best=3, rerank_weight=2.0, max_tokens=16)
    source = first.tokenizer.source_ids("hello")
    request = replace(generator.template(options), source_ids=source)
    limits = Settings()

    async def ask() -> None:
        model = loaded(generator, limits)
        await model.open()
        assert model.rerank_client is not None
        if ends == "refused":
            model.rerank_client._plain._max_queue = 0
        try:
            if ends == "late":
                answer = model.answer(request, ["hello"], timeout_seconds=900.0)
                answering = asyncio.create_task(answer)
                await still.next_rows()  # it is being scored
                let_time_pass(900.0)
                with pytest.raises(DeadlineExceeded, match="no answer within 900 seconds"):
                    await answering
            else:
                with pytest.raises(Overloaded):
                    await model.answer(request, ["hello"], timeout_seconds=PATIENCE_SECONDS)
            assert not model.rerank_client._jobs
        finally:
            still.go(100)
            await model.close()

    asyncio.run(ask())
