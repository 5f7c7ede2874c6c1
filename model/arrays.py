"""Faster versions of NumPy functions for small arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def padded(
    array: NDArray[Any], widths: Sequence[tuple[int, int]], filling: float = 0
) -> NDArray[Any]:
    """Pads as `np.pad` does with a constant, without its 60 µs; may return `array` itself."""
    if not any(map(any, widths)):
        return array
    sizes = [
        (before, size, after) for (before, after), size in zip(widths, array.shape, strict=True)
    ]
    grown = np.full([sum(each) for each in sizes], filling, array.dtype)
    grown[tuple(slice(before, before + size) for before, size, _ in sizes)] = array
    return grown
