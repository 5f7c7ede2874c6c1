from __future__ import annotations

import math

import pytest

from training.fit.divergence import TRAIN_STEPS, DivergenceCheck

INFINITE = float("inf")


@pytest.mark.parametrize("loss", [float("nan"), INFINITE, -INFINITE])
def test_a_loss_that_is_no_number_is_divergence(loss: float) -> None:
    check = DivergenceCheck(100)
    assert check.check_training_loss(loss, first_loss=4.6) == f"is {loss}"
    assert check.check_dev_loss(loss, first_loss=4.6, best_loss=1.0) == f"is {loss}"


def test_a_dev_loss_far_above_guessing_is_divergence_until_an_epoch_was_better() -> None:
    check = DivergenceCheck(100)
    guessing = math.log(100)
    assert not check.check_dev_loss(guessing + 0.9, first_loss=4.6, best_loss=INFINITE)
    found = check.check_dev_loss(guessing + 1.1, first_loss=4.6, best_loss=INFINITE)
    assert "far above that of guessing (4.61)" in found
    assert not check.check_dev_loss(9.0, first_loss=4.6, best_loss=4.0)  # it overfits


def test_a_model_that_begins_far_above_guessing_has_not_diverged() -> None:
    check = DivergenceCheck(10)
    assert not check.check_dev_loss(6.0, first_loss=7.0, best_loss=INFINITE)
    assert not any(check.check_training_loss(7.0, first_loss=7.0) for _ in range(TRAIN_STEPS))


def test_training_losses_must_stay_high_to_be_divergence() -> None:
    check = DivergenceCheck(100)
    losses = [10.0] * (TRAIN_STEPS - 1) + [4.0] + [10.0] * TRAIN_STEPS
    found = [check.check_training_loss(loss, first_loss=4.6) for loss in losses]
    assert not any(found[:-1])
    assert found[-1].startswith("is 10, for")
