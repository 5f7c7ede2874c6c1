from __future__ import annotations

import resource
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from training.errors import CorpusError
from training.fit.log import Curves, FitLog, describe_seconds


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


def test_the_time_left_is_that_of_the_last_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    with FitLog(epochs=9, total_steps=18, step=0, tensorboard_folder=tmp_path, clock=clock) as log:
        for epoch, seconds in enumerate((20, 1, 2), start=1):  # the first compiles
            log.add_step(epoch, 2.5, 500)
            log.add_step(epoch, 2.5, 500)
            clock.seconds += seconds
            log.end_epoch(epoch, "dev loss 1.0", is_last=False)
    assert capsys.readouterr().out.splitlines() == [
        "epoch 1 of 9: dev loss 1.0; 20 s",
        "epoch 2 of 9: dev loss 1.0; 1 s, about 7 s left",
        "epoch 3 of 9: dev loss 1.0; 2 s, about 12 s left",
    ]


def test_tensorboard_reads_the_curves(tmp_path: Path) -> None:
    curves = Curves(tmp_path / "tensorboard")
    curves.add_scalar("dev/loss", 2.5, 7)
    curves.close()
    [path] = (tmp_path / "tensorboard").iterdir()
    version, event = EventFileLoader(str(path)).Load()
    assert version.file_version == "brain.Event:2"
    [value] = event.summary.value
    assert (value.tag, event.step, value.tensor.float_val) == ("dev/loss", 7, [2.5])


def test_curves_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    curves = Curves(tmp_path / "tensorboard")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(CorpusError, match=r"events.*: cannot be written: File too large"):
            curves.add_scalar("dev/loss", 2.5, 7)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    curves.close()
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="cannot be written"):
        Curves(tmp_path / "file")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (130, "2 min"), (5900, "98 min"), (12_000, "3 h 20 min")],
)
def test_times_are_told_in_a_unit_that_fits(seconds: float, text: str) -> None:
    assert describe_seconds(seconds) == text
