from __future__ import annotations

import numpy as np
import pytest

from model.arrays import padded


@pytest.mark.parametrize("filling", [0, -np.inf])
def test_it_is_numpys_padding(filling: float) -> None:
    array = np.arange(6.0).reshape(2, 3)
    widths = ((1, 0), (0, 2))
    np.testing.assert_array_equal(
        padded(array, widths, filling), np.pad(array, widths, constant_values=filling)
    )


def test_nothing_to_add_copies_nothing() -> None:
    array = np.zeros((2, 0), np.int32)
    assert padded(array, ((0, 0), (0, 0))) is array
