"""Schedules of the learning rate."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from model.types import Tensor


class WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to `peak` over `warmup_steps`, then decay until `total_steps`.

    Args:
        peak: the highest rate.
        warmup_steps: 0 starts at the peak.
        total_steps: where a cosine decay ends, at a hundredth of the peak.
        decay: `none`, `cosine` or `inverse_sqrt` (peak * sqrt(warmup_steps / step)).
    """

    def __init__(self, peak: float, *, warmup_steps: int, total_steps: int, decay: str) -> None:
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.decay = decay

    def __call__(self, step: Tensor) -> Tensor:
        done = ops.cast(step, "float32") + 1.0
        warmup = float(max(self.warmup_steps, 1))
        rising = self.peak * done / warmup
        return ops.minimum(rising, self._decayed(done, warmup))

    def _decayed(self, done: Tensor, warmup: float) -> Tensor:
        if self.decay == "cosine":
            progress = (done - warmup) / max(self.total_steps - warmup, 1.0)
            cosine = 0.5 * (1.0 + ops.cos(math.pi * ops.clip(progress, 0.0, 1.0)))
            return self.peak * ops.maximum(cosine, 0.01)
        if self.decay == "inverse_sqrt":
            return self.peak * ops.sqrt(warmup / ops.maximum(done, warmup))
        return self.peak * ops.ones_like(done)

    def get_config(self) -> dict[str, Any]:
        return dict(vars(self))
