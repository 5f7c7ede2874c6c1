from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from model.errors import EngineError
from training.export.export import MIN_AGREEMENT, export
from training.recipe import Recipe


def test_graphs_that_disagree_are_not_written(
    fitted: Path, make_recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MIN_AGREEMENT, "float32", 1.1)
    before = sorted(each.name for each in (fitted / "model").iterdir())
    with pytest.raises(EngineError, match=r"Nothing was written\. Train .* another --precision"):
        export(make_recipe(fitted), ["float32"])
    assert sorted(each.name for each in (fitted / "model").iterdir()) == before
