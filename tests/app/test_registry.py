from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.registry import load_model
from app.settings import Settings
from model.contract import Engine, State, StepResult
from model.generator import Generator
from tests.app.fakes import TableEngine, loop


class RecordingEngine(TableEngine):
    """Remembers how many rows and tokens it was asked for."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__(loop(vocab_size, 7))
        self.asked: set[tuple[int, int]] = set()

    def step(self, state: State, parents: Any, tokens: Any, top_k: int) -> StepResult:
        self.asked.add((len(tokens), top_k))
        return super().step(state, parents, tokens, top_k)


def test_a_model_is_warm_for_greedy_and_beam_search_before_it_serves(
    make_generator: Callable[[Engine], Generator], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = RecordingEngine(vocab_size=20)
    monkeypatch.setattr(Generator, "load", lambda *_, **__: make_generator(engine))
    load_model(Settings())
    rows = {rows for rows, _ in engine.asked}
    assert {1, 2} <= rows  # greedy, alone and in company
    assert max(rows) > 4  # the beams of two requests
