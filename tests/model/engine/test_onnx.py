from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from model.engine import load_engine
from model.engine.onnx import OnnxEngine
from model.errors import EngineError, FolderError
from model.folder import GRAPH_FILES, SHORTLIST_FILES, load_folder, write_folder
from tests.conftest import PATIENCE_SECONDS


def test_auto_prefers_the_fastest_graphs(exported_folder: Path, untrained_folder: Path) -> None:
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("there is a GPU")
    assert isinstance(load_engine(load_folder(exported_folder)), OnnxEngine)
    assert not isinstance(load_engine(load_folder(untrained_folder)), OnnxEngine)


def test_missing_graphs_are_named(untrained_folder: Path) -> None:
    with pytest.raises(EngineError, match=r"no int8 graphs \(encoder.int8.onnx, step"):
        load_engine(load_folder(untrained_folder), "onnx-int8")


@pytest.mark.parametrize("broken", [*GRAPH_FILES["int8"], *SHORTLIST_FILES])
def test_broken_graphs_are_named(exported_folder: Path, tmp_path: Path, broken: str) -> None:
    folder = load_folder(exported_folder)
    files = {name: (exported_folder / name).read_bytes() for name in folder.config.sha256}
    write_folder(tmp_path / "broken", folder.config, {**files, broken: b"no graph"})
    with pytest.raises(FolderError, match=f"broken: .*{broken}.*Export them anew"):
        load_engine(load_folder(tmp_path / "broken"), "onnx-int8")


def test_answering_loads_no_framework(exported_folder: Path) -> None:
    code = (
        "import sys; from model.generator import Generator; "
        f"Generator.load({str(exported_folder)!r}, 'onnx-int8').generate(['hello']); "
        "print([f for f in ('keras', 'tensorflow', 'jax', 'torch') if f in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    assert result.stdout.splitlines()[-1] == "[]"
