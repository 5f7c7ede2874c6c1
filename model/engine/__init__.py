"""Engines, which implement the decoding contract. Only the chosen engine is imported."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from model.errors import EngineError
from model.folder import GRAPH_FILES, ModelFolder
from model.quiet import keep_libraries_out_of_home, quiet_framework

if TYPE_CHECKING:
    from model.contract import Engine

# ONNX Runtime sends telemetry to its maker unless this is set before it is imported: it makes DNS
# look-ups at once and leaves a machine id in the home folder. This program always imports it after
# this package.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "keras", "onnx", "onnx-int8"]


def load_engine(folder: ModelFolder, name: EngineName = "auto", *, threads: int = 0) -> Engine:
    """Builds the engine `name` for `folder`. `threads` is the number of threads per ONNX Runtime
    operator; 0: one per core.

    `auto` chooses Keras if its framework sees a GPU, else ONNX Runtime if the folder has graphs
    (int8 before float32), else Keras. It logs its choice and the reason.

    Raises:
        EngineError: if the engine, or a package that it needs, is missing.
        FolderError: if weights or graphs do not fit.
    """
    if name not in get_args(EngineName):
        names = ", ".join(get_args(EngineName))
        raise EngineError(f"engine must be one of {names}. Received: engine={name!r}")
    if name == "auto":
        name = best_engine(folder)
    try:
        if name == "keras":
            with quiet_framework():
                from model.engine.keras import KerasEngine

            return KerasEngine.load(folder)
        from model.engine.onnx import OnnxEngine, Precision

        precision: Precision = "int8" if name == "onnx-int8" else "float32"
        return OnnxEngine.load(folder, precision, threads=threads)
    except ModuleNotFoundError as error:
        raise EngineError(
            f"the {name} engine needs the package '{error.name}'; install the extra "
            f"'{'train' if name == 'keras' else 'serve'}' of seq2seq"
        ) from None


def best_engine(folder: ModelFolder) -> EngineName:
    """Returns the fastest available engine for `folder`, the choice of `auto`. Logs the reason."""
    name, reason = _choose_engine(folder)
    logger.info("engine %s for %s: %s", name, folder.path, reason)
    return name


def _choose_engine(folder: ModelFolder) -> tuple[EngineName, str]:
    """Returns the fastest engine and the reason."""
    graphs: EngineName | None = None
    if find_spec("onnxruntime"):
        if set(GRAPH_FILES["int8"]) <= set(folder.sha256):
            graphs = "onnx-int8"
        elif set(GRAPH_FILES["float32"]) <= set(folder.sha256):
            graphs = "onnx"
    if graphs is None:
        return "keras", "the folder has no graphs, or ONNX Runtime is not installed"
    if not has_gpu_device():
        return graphs, "this machine has no GPU"
    if not framework_sees_gpu():
        return graphs, "Keras' framework sees no GPU"
    return "keras", "Keras' framework sees a GPU"


def has_gpu_device() -> bool:
    """Tells whether there may be a usable GPU. If False, there is none, and no framework needs to
    be loaded to find out."""
    return any(next(Path("/dev").glob(name), None) for name in ("nvidia[0-9]*", "dxg", "kfd"))


def framework_sees_gpu() -> bool:
    """Tells whether Keras' framework sees a GPU. Loads the framework in another process, since it
    takes seconds and half a gigabyte of memory, which a server without a GPU does not need."""
    keep_libraries_out_of_home()
    program = "import sys, model.engine.compiled as c; sys.exit(not c.prepare_device())"
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, env=python_environment()).returncode == 0


def python_environment() -> dict[str, str]:
    """Returns the environment of a Python process that imports what this one does: the working
    directory, where Python looks first, may have an `app` or a `model` of its own."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
