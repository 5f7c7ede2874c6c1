"""Each in a process of its own: what a file of a network needs to be loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from model import SimpleSeq2Seq


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model.keras"
    SimpleSeq2Seq(2, 2, 4, (None, 3)).save(path)
    return path


@pytest.mark.parametrize(
    "imports",
    ["import keras, model", "import model, keras", "import model.layers.cells, keras"],
)
def test_a_network_is_loaded_after_model_was_imported(imports: str, saved: Path) -> None:
    code = f"{imports}; print(type(keras.saving.load_model({str(saved)!r})).__name__)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    )
    assert result.stdout.strip() == "SimpleSeq2Seq"
