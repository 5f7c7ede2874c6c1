from __future__ import annotations

import numpy as np

from model.contract import resized


def test_axes_grow_and_shrink() -> None:
    array = np.arange(6).reshape(2, 3)
    np.testing.assert_array_equal(resized(array, 3, 2), [[0, 1], [3, 4], [0, 0]])
    np.testing.assert_array_equal(resized(array, 1, 4), [[0, 1, 2, 0]])


def test_what_is_large_enough_is_not_copied() -> None:
    array = np.arange(6).reshape(2, 3)
    assert resized(array, 2, 3) is array
    assert np.shares_memory(resized(array, 1, 3), array)
