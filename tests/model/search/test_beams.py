from __future__ import annotations

import numpy as np

from model.config import SearchOptions
from model.search.beams import NUMBERS


def test_numbers_have_the_types_of_the_options() -> None:
    types: dict[object, type[np.generic]] = {int: np.int32, float: np.float64}
    fields = SearchOptions.model_fields
    assert {name: types[fields[name].annotation] for name in NUMBERS} == NUMBERS
