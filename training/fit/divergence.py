"""When a loss shows that training has diverged, rather than that it is slow or overfits."""

from __future__ import annotations

import math

#: Nats that the dev loss may be above that of guessing before an epoch has been better.
DEV_MARGIN = 1.0
#: Training losses above so many times that of guessing, ...
TRAIN_FACTOR = 2.0
#: ... so many steps in a row: a single hard batch is none.
TRAIN_STEPS = 50


class DivergenceCheck:
    """Compares losses with what guessing costs: log(vocab_size) nats a token, or what the network
    began with if that is more, as of a model that is fine-tuned for something else.

    A dev loss far above is divergence only while no epoch was better: later it can be overfitting,
    which `patience` ends.

    Args:
        vocab_size: of targets.
    """

    def __init__(self, vocab_size: int) -> None:
        self._guessing = math.log(vocab_size)
        self._steps_above = 0

    def train_limit(self, first_loss: float) -> float:
        """The highest training loss that is not suspicious, in nats a token."""
        return TRAIN_FACTOR * max(self._guessing, first_loss)

    def find_in_training(self, loss: float, *, first_loss: float) -> str:
        """What is wrong with the loss of a step, in words; nothing if it is sound."""
        if not math.isfinite(loss):
            return f"is {loss}"
        self._steps_above = self._steps_above + 1 if loss > self.train_limit(first_loss) else 0
        if self._steps_above < TRAIN_STEPS:
            return ""
        return f"is {loss:.5g}, for {TRAIN_STEPS} steps {self._describe_guessing()}"

    def find_in_dev(self, loss: float, *, first_loss: float, best_loss: float) -> str:
        """What is wrong with a dev loss, in words; nothing if it is sound.

        Args:
            loss: in nats a token.
            first_loss: of the first batch, before anything was learnt.
            best_loss: lowest dev loss of the epochs before; infinite for the first.
        """
        if not math.isfinite(loss):
            return f"is {loss}"
        limit = max(self._guessing, first_loss) + DEV_MARGIN
        if loss <= limit or best_loss <= limit:
            return ""
        return f"is {loss:.5g}, {self._describe_guessing()}"

    def _describe_guessing(self) -> str:
        return f"far above that of guessing ({self._guessing:.2f})"
