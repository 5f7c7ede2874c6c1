from __future__ import annotations

import pytest
from keras import ops

from training.fit.schedules import WarmUpAndDecay


def rates(decay: str, steps: list[int]) -> list[float]:
    schedule = WarmUpAndDecay(1.0, warmup_steps=10, total_steps=110, decay=decay)
    return [float(ops.convert_to_numpy(schedule(step))) for step in steps]


def test_it_rises_to_the_peak() -> None:
    assert rates("none", [0, 4, 9, 50]) == pytest.approx([0.1, 0.5, 1.0, 1.0])


def test_a_cosine_ends_at_a_hundredth() -> None:
    assert rates("cosine", [9, 59, 109, 500]) == pytest.approx([1.0, 0.5, 0.01, 0.01], abs=1e-3)


def test_an_inverse_root_halves_at_four_times_the_warm_up() -> None:
    assert rates("inverse_sqrt", [9, 39]) == pytest.approx([1.0, 0.5])
