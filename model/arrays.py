"""Arrays that grow and shrink, and parts of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def resized(array: NDArray[Any], *shape: int) -> NDArray[Any]:
    """Returns `array` cut, or padded with zeros at the ends of its axes, to `shape`; itself, or a
    part of it, if that is large enough."""
    if array.shape == shape:
        return array
    inside = tuple(slice(min(sizes)) for sizes in zip(array.shape, shape, strict=True))
    if array[inside].shape == shape:
        return array[inside]
    grown = np.zeros(shape, array.dtype)
    grown[inside] = array[inside]
    return grown


def as_slice(places: NDArray[np.intp]) -> Any:
    """Returns ascending `places` as a slice if there are no gaps, which NumPy reads and writes in a
    fraction of the time."""
    if len(places) and places[-1] - places[0] == len(places) - 1:
        return slice(int(places[0]), int(places[-1]) + 1)
    return places
