"""What may import what, checked by running it: import-linter cannot see what loads at run time."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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
        "model.search.search",
        "model.generator",
        "app.main",
        "training.__main__",
    ],
)
def test_no_framework_is_loaded_before_it_is_needed(module: str) -> None:
    assert _loaded(module, FRAMEWORKS) == "[]"


@pytest.mark.parametrize(
    ("module", "library"),
    [
        ("app.decoding.worker", "sentencepiece"),
        ("app.decoding.worker, model.engine.onnx", "pydantic"),
        ("app.main", "numpy"),
    ],
)
def test_a_process_of_the_server_loads_no_library_that_it_has_no_use_for(
    module: str, library: str
) -> None:
    assert _loaded(module, (library,)) == "[]"


def _loaded(module: str, libraries: tuple[str, ...]) -> str:
    """Those of `libraries` that importing `module` loads."""
    code = f"import sys, {module}; print([each for each in {libraries} if each in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    return result.stdout.strip()


ROOT = Path(__file__).parent.parent
ROOMS = ("app", "benchmarks", "examples", "model", "seq2seq", "training")
#: Words with the ending of a verb in the third person that are none.
NO_VERBS = {"As", "Its", "Others", "This", "Thus"}


def _first_words() -> Iterator[tuple[str, str]]:
    """Yields place and first word of every function's docstring."""
    for file in (file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if docstring := ast.get_docstring(node):
                    place = f"{file.relative_to(ROOT)}:{node.lineno}"
                    yield place, docstring.split()[0].rstrip(".,;:")


def test_docstrings_of_functions_begin_with_a_verb() -> None:
    others = [
        f"{place}: {word}"
        for place, word in _first_words()
        if word in NO_VERBS or not re.fullmatch(r"[A-Z][a-z-]+s", word)
    ]
    assert others == []
