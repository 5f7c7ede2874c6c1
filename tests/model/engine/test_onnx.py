from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

from model.engine import load_engine
from model.engine.onnx import OnnxEngine
from model.errors import EngineError, FolderError
from model.folder import (
    DEFAULT_MODEL,
    GRAPH_FILES,
    SHORTLIST_FILES,
    ModelFolder,
    load_folder,
    write_folder,
)
from tests.conftest import PATIENCE_SECONDS


def test_auto_prefers_the_fastest_graphs(exported_folder: Path, untrained_folder: Path) -> None:
    if any(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("there is a GPU")
    assert isinstance(load_engine(load_folder(exported_folder)), OnnxEngine)
    assert not isinstance(load_engine(load_folder(untrained_folder)), OnnxEngine)


def test_missing_graphs_are_named(untrained_folder: Path) -> None:
    with pytest.raises(EngineError, match=r"no int8 graphs \(encoder.int8.onnx, step"):
        load_engine(load_folder(untrained_folder), "onnx-int8")


def replaced(exported: Path, path: Path, name: str, content: bytes) -> ModelFolder:
    """A copy of a folder with another file. Graphs that are opened when they are needed are needed
    at once: without a shortlist if `name` is not part of it."""
    folder = load_folder(exported)
    names = set(folder.config.sha256)
    if name not in SHORTLIST_FILES:
        names -= set(SHORTLIST_FILES)
    files = {each: (exported / each).read_bytes() for each in names}
    write_folder(path, folder.config, {**files, name: content})
    return load_folder(path)


@pytest.mark.parametrize("broken", [*GRAPH_FILES["int8"], *SHORTLIST_FILES[:2]])
def test_broken_graphs_are_named(exported_folder: Path, tmp_path: Path, broken: str) -> None:
    folder = replaced(exported_folder, tmp_path / "broken", broken, b"no graph")
    with pytest.raises(FolderError, match=f"broken: .*{broken}.*Export them again"):
        load_engine(folder, "onnx-int8")


def test_graphs_that_do_not_fit_each_other_are_refused(
    exported_folder: Path, tmp_path: Path
) -> None:
    encoder, step = GRAPH_FILES["int8"]
    content = (exported_folder / encoder).read_bytes()
    folder = replaced(exported_folder, tmp_path / "swapped", step, content)
    with pytest.raises(FolderError, match=r"Export them again.*not the graph of a step"):
        load_engine(folder, "onnx-int8")
    content = (DEFAULT_MODEL / step).read_bytes()
    folder = replaced(exported_folder, tmp_path / "mixed", step, content)
    with pytest.raises(FolderError, match=r"Export them again.*of another network"):
        load_engine(folder, "onnx-int8")


@pytest.mark.parametrize("name", GRAPH_FILES["int8"])
def test_graphs_of_an_older_release_are_refused(
    exported_folder: Path, tmp_path: Path, name: str
) -> None:
    graph = onnx.load(exported_folder / name)
    del graph.metadata_props[:]
    folder = replaced(exported_folder, tmp_path / "old", name, graph.SerializeToString())
    with pytest.raises(FolderError, match=r"Export them again.*its format is 1, and"):
        load_engine(folder, "onnx-int8")


def test_the_whole_vocabulary_is_opened_when_it_is_wanted(exported_folder: Path) -> None:
    engine = OnnxEngine.load(load_folder(exported_folder), "int8")
    engine.new_table(1, use_shortlist=True)
    assert list(engine._graphs) == [1]
    engine.new_table(1, use_shortlist=False)
    assert sorted(engine._graphs) == [0, 1]


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
