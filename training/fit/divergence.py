"""Detection of divergence, as opposed to slow training or overfitting."""

from __future__ import annotations

import math

#: Nats by which the dev loss may exceed the loss of guessing before any epoch was better.
DEV_MARGIN = 1.0
#: Training has diverged if its loss exceeds this multiple of the loss of guessing ...
TRAIN_FACTOR = 2.0
#: ... for this many steps in a row: a single hard batch does not count.
TRAIN_STEPS = 50


class DivergenceCheck:
    """Comparison of losses with the loss of guessing: log(vocab_size) nats per token, or the first
    loss if that is higher, as for a model that is fine-tuned for another task.

    A far higher dev loss means divergence only before any epoch was better: later it can be
    overfitting, which `patience` stops.
    """

    def __init__(self, vocab_size: int) -> None:
        self._guessing = math.log(vocab_size)
        self._steps_above = 0

    def train_limit(self, first_loss: float) -> float:
        """Returns the highest training loss that is not suspicious, in nats a token."""
        return TRAIN_FACTOR * max(self._guessing, first_loss)

    def check_training_loss(self, loss: float, *, first_loss: float) -> str:
        """Describes what is wrong with the loss of a step; returns nothing if it is fine."""
        if not math.isfinite(loss):
            return f"is {loss}"
        self._steps_above = self._steps_above + 1 if loss > self.train_limit(first_loss) else 0
        if self._steps_above < TRAIN_STEPS:
            return ""
        return f"is {loss:.5g}, for {TRAIN_STEPS} steps {self._describe_guessing()}"

    def check_dev_loss(self, loss: float, *, first_loss: float, best_loss: float) -> str:
        """Describes what is wrong with a dev loss; returns nothing if it is fine.

        Args:
            loss: in nats a token.
            first_loss: loss of the first batch, before any update.
            best_loss: lowest dev loss of earlier epochs; infinite in the first.
        """
        if not math.isfinite(loss):
            return f"is {loss}"
        limit = max(self._guessing, first_loss) + DEV_MARGIN
        if loss <= limit or best_loss <= limit:
            return ""
        return f"is {loss:.5g}, {self._describe_guessing()}"

    def _describe_guessing(self) -> str:
        return f"far above that of guessing ({self._guessing:.2f})"
