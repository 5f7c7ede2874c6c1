"""Engines run networks behind the decoding contract. Choosing one imports only that one."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from model.contract import Engine
from model.errors import EngineError
from model.folder import GRAPH_FILES, ModelFolder
from model.quiet import keep_libraries_out_of_home, quiet_framework

# ONNX Runtime reports to its maker, unless it finds this when it is imported: names are looked up
# at once, and a number of the machine is left in the home folder. Every import of it in this
# program comes after that of this package.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

logger = logging.getLogger(__name__)

EngineName = Literal["auto", "keras", "onnx", "onnx-int8"]


def load_engine(folder: ModelFolder, name: EngineName = "auto", *, threads: int = 0) -> Engine:
    """Builds the engine `name` over `folder`. `threads` work on one operator of ONNX Runtime; 0:
    one for each core.

    `auto` takes Keras where its framework sees a GPU, else ONNX Runtime where the folder has graphs
    (int8 before float32), else Keras. It logs which, and why.

    Raises:
        EngineError: if that engine, or what it needs, is not here.
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
            f"the {name} engine needs the package '{error.name}'; install the extra 'cpu' or 'gpu'"
        ) from None


def best_engine(folder: ModelFolder) -> EngineName:
    """The fastest engine here for `folder`, which `auto` takes. Logs why."""
    name, reason = _choose_engine(folder)
    logger.info("engine %s for %s: %s", name, folder.path, reason)
    return name


def _choose_engine(folder: ModelFolder) -> tuple[EngineName, str]:
    """The fastest engine, and why it is."""
    graphs: EngineName | None = None
    if find_spec("onnxruntime"):
        if set(GRAPH_FILES["int8"]) <= set(folder.config.sha256):
            graphs = "onnx-int8"
        elif set(GRAPH_FILES["float32"]) <= set(folder.config.sha256):
            graphs = "onnx"
    if graphs is None:
        return "keras", "the folder has no graphs, or ONNX Runtime is not installed"
    if not has_gpu_device():
        return graphs, "this machine has no GPU"
    if not framework_sees_gpu():
        return graphs, "Keras' framework sees no GPU"
    return "keras", "Keras' framework sees a GPU"


def has_gpu_device() -> bool:
    """Whether there might be a GPU that a framework can use. Where it is False none can, and none
    has to be loaded to tell."""
    return any(next(Path("/dev").glob(name), None) for name in ("nvidia[0-9]*", "dxg", "kfd"))


def framework_sees_gpu() -> bool:
    """Whether Keras' framework sees one. It is asked in a process of its own, since it takes
    seconds to load and half a gigabyte that a server without a GPU has no use for."""
    keep_libraries_out_of_home()
    question = "import sys, model.engine.compiled as c; sys.exit(not c.prepare_device())"
    asked = subprocess.run([sys.executable, "-c", question], capture_output=True)
    return asked.returncode == 0
