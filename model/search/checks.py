"""Checks of what an engine returns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.contract import StepResult
from model.errors import EngineError
from model.types import Float32


def check_numbers(logprobs: NDArray[np.floating[Any]]) -> None:
    """Checks that no log-probability is broken.

    Raises:
        EngineError: if one is not a number.
    """
    if math.isnan(logprobs.sum()):
        raise EngineError("the network's output is not a number; its weights are broken")


def wanted_logprobs(result: StepResult) -> Float32:
    """Returns the log-probabilities of the tokens that were wanted.

    Raises:
        EngineError: if there are none.
    """
    if result.wanted_logprobs is None:
        raise EngineError("the engine left out the log-probabilities of wanted tokens")
    return result.wanted_logprobs
