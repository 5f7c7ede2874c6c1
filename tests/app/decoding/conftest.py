from __future__ import annotations

import math

import pytest

from app.decoding import admission
from tests.app.decoding.scenarios import TOKEN, VOCAB_SIZE
from tests.app.fakes import SteppedEngine, loop


@pytest.fixture
def one_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a reply is, it is decoded together with the others."""
    monkeypatch.setattr(admission, "MAX_PLAIN_COST", math.inf)


@pytest.fixture
def engine() -> SteppedEngine:
    return SteppedEngine(loop(VOCAB_SIZE, TOKEN))
