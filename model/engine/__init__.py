"""Engines run networks behind the decoding contract. Choosing one imports only that one."""

from __future__ import annotations

from typing import Literal

from model.contract import Engine
from model.errors import EngineError
from model.folder import ModelFolder

EngineName = Literal["auto", "keras"]


def load_engine(folder: ModelFolder, name: EngineName = "auto") -> Engine:
    """Builds the engine `name` over the weights of `folder`. `auto` takes the best there is.

    Raises:
        EngineError: if that engine, or what it needs, is not here.
        FolderError: if the weights do not fit the network.
    """
    if name not in ("auto", "keras"):
        raise EngineError(f"engine must be auto or keras. Received: engine={name!r}")
    try:
        from model.engine.keras import KerasEngine
    except ModuleNotFoundError as error:
        raise EngineError(
            f"the keras engine needs the package '{error.name}'; install the extra 'cpu' or 'gpu'"
        ) from None
    return KerasEngine.load(folder)
