from __future__ import annotations

from pathlib import Path

import pytest

from training.fit.log import FitLog, describe_seconds


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_line_every_half_minute_tells_place_speed_and_time_left(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    with FitLog(epochs=2, total_steps=20, step=4, tensorboard_folder=tmp_path, clock=clock) as log:
        for _ in range(8):
            clock.seconds += 10
            log.add_step(1, 2.5, 500)
        log.end_epoch(1, "dev loss 1.0", is_last=False)
        log.end_epoch(2, "dev loss 0.9", is_last=True)
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "epoch 1 of 2, step 7 of 20: loss 2.5000, 50 target tokens/s, about 2 min left",
        "epoch 1 of 2, step 10 of 20: loss 2.5000, 50 target tokens/s, about 2 min left",
        "epoch 1 of 2: dev loss 1.0; 80 s, about 80 s left",
        "epoch 2 of 2: dev loss 0.9; 0 s",
    ]
    assert captured.err == ""  # no bar, where there is no terminal


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (130, "2 min"), (5900, "98 min"), (12_000, "3 h 20 min")],
)
def test_times_are_told_in_a_unit_that_fits(seconds: float, text: str) -> None:
    assert describe_seconds(seconds) == text
