"""What may import what, checked by running it: import-linter cannot see what loads at run time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import PATIENCE_SECONDS

FRAMEWORKS = ("keras", "tensorflow", "jax", "torch")


@pytest.mark.parametrize(
    "module",
    [
        "model",
        "model.config",
        "model.tokenizer",
        "model.folder",
        "model.search.beam",
        "model.generator",
        "app.main",
        "training.__main__",
    ],
)
def test_no_framework_is_loaded_before_it_is_needed(module: str) -> None:
    code = f"import sys, {module}; print([f for f in {FRAMEWORKS} if f in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert result.stdout.strip() == "[]"
