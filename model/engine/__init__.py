"""Engines run networks behind the decoding contract. Choosing one imports only that one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from model.contract import Engine
from model.errors import EngineError
from model.folder import GRAPH_FILES, ModelFolder
from model.quiet import quiet_tensorflow

EngineName = Literal["auto", "keras", "onnx", "onnx-int8"]


def load_engine(folder: ModelFolder, name: EngineName = "auto", *, threads: int = 0) -> Engine:
    """Builds the engine `name` over `folder`. `threads` work on one operator of ONNX Runtime; 0:
    one for each core.

    `auto` takes Keras where there is an NVIDIA GPU, else ONNX Runtime where the folder has graphs
    (int8 before float32), else Keras.

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
            with quiet_tensorflow():
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
    """The engine that `auto` takes."""
    has_gpu = any(Path("/dev").glob("nvidia[0-9]*"))
    if not has_gpu and find_spec("onnxruntime"):
        if set(GRAPH_FILES["int8"]) <= set(folder.config.sha256):
            return "onnx-int8"
        if set(GRAPH_FILES["float32"]) <= set(folder.config.sha256):
            return "onnx"
    return "keras"
