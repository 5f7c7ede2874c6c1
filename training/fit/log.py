"""Log of a training run: a progress bar in a terminal, lines elsewhere, curves for TensorBoard."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter
from tqdm import tqdm

from training.files.paths import writing

#: Seconds between two lines if there is no terminal.
INTERVAL = 30.0
#: Minimum number of steps in a first epoch from which the remaining time is estimated.
MIN_STEPS = 5


class Curves:
    """Curves for TensorBoard in a new file in `folder`. TensorBoard's own writer has a thread, and
    uses TensorFlow if it is installed, whose errors are no OSErrors.

    Raises:
        CorpusError: if the file cannot be written, here and in `add_scalar`.
    """

    def __init__(self, folder: Path) -> None:
        now = time.time()
        self._path = folder / f"events.out.tfevents.{now:.0f}.{socket.gethostname()}.{os.getpid()}"
        with writing(self._path):
            folder.mkdir(parents=True, exist_ok=True)
            self._records = RecordWriter(self._path.open("wb", buffering=0))
        self._add(Event(wall_time=now, file_version="brain.Event:2"))

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Adds a point to the curve `name`."""
        summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
        self._add(Event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        """Closes the file."""
        self._records.close()

    def _add(self, event: Event) -> None:
        with writing(self._path):
            self._records.write(event.SerializeToString())


class FitLog:
    """The log of a training run; a context manager.

    Args:
        epochs: maximum number of epochs.
        total_steps: steps of all epochs.
        step: step at which this process starts.
        tensorboard_folder: folder for TensorBoard; None: nothing is written, and nothing is
            printed.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        *,
        epochs: int,
        total_steps: int,
        step: int,
        tensorboard_folder: Path | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._epochs = epochs
        self._total_steps = total_steps
        self._clock = clock
        size = shutil.get_terminal_size()  # without a size, tqdm draws nothing in some terminals
        self._bar = tqdm(
            total=total_steps,
            initial=step,
            unit="step",
            desc="fit",
            disable=None if tensorboard_folder else True,
            ncols=size.columns,
            nrows=size.lines,
        )
        self._curves = Curves(tensorboard_folder) if tensorboard_folder else None
        self._has_lines = self._bar.disable or not sys.stdout.isatty()
        self._step = step
        self._tokens = 0
        self._began = self._epoch_began = self._last_line = clock()
        self._first_step = self._epoch_step = step

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
        if self._curves:
            self._curves.close()

    def add_step(self, epoch: int, loss: float, tokens: int) -> None:
        """Records one step.

        Args:
            epoch: from 1.
            loss: of the batch, in nats a token.
            tokens: target tokens of the batch, without padding.
        """
        now = self._clock()
        if self._step == self._first_step:
            self._began = now  # the first step compiles, so its time is not typical
        else:
            self._tokens += tokens
        self._step += 1
        self._bar.update()
        rate = self._tokens / max(now - self._began, 1e-9)
        speed = f", {rate:,.0f} target tokens/s" if self._tokens else ""
        self._bar.set_postfix_str(f"epoch {epoch}, loss {loss:.3f}{speed}", False)
        if self._has_lines and now - self._last_line >= INTERVAL:
            self._last_line = now
            place = f"epoch {epoch} of {self._epochs}, step {self._step:,} of {self._total_steps:,}"
            self.write(f"{place}: loss {loss:.4f}{speed}{self._time_left(self._pace(now))}")

    def end_epoch(self, epoch: int, scores: str, *, is_last: bool) -> None:
        """Prints the scores of an epoch, from 1, with elapsed and remaining time."""
        now = self._clock()
        steps = self._step - self._epoch_step
        pace = (now - self._epoch_began) / max(steps, 1)
        if self._epoch_step == self._first_step:  # a short first epoch mostly compiles
            pace = self._pace(now) if steps >= MIN_STEPS else 0.0
        left = "" if is_last else self._time_left(pace)
        took = describe_seconds(now - self._epoch_began)
        self.write(f"epoch {epoch} of {self._epochs}: {scores}; {took}{left}")
        self._epoch_began = self._last_line = now
        self._epoch_step = self._step

    def write(self, line: str) -> None:
        """Prints a line on standard output at once, above the progress bar if there is one."""
        if self._curves:
            self._bar.write(line)
            sys.stdout.flush()

    def add_scalar(self, name: str, value: float) -> None:
        """Adds a point to a curve, at the current step."""
        if self._curves:
            self._curves.add_scalar(name, value, self._step)

    def _pace(self, now: float) -> float:
        """Returns the seconds per step so far; 0 if there were none after the first."""
        done = self._step - self._first_step - 1
        return (now - self._began) / done if done > 0 else 0.0

    def _time_left(self, pace: float) -> str:
        seconds = pace * max(self._total_steps - self._step, 0)
        return f", about {describe_seconds(seconds)} left" if pace else ""


def describe_seconds(seconds: float) -> str:
    """Formats a duration: `45 s`, `12 min` or `3 h 20 min`."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
