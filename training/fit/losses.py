"""Loss of training."""

from __future__ import annotations

import keras
from keras import ops

from model.types import Tensor


class TokenCrossEntropy(keras.losses.Loss):
    """Cross-entropy of the next token, in nats, averaged over the tokens of weight above 0.

        loss = -(1 - e) log p(label) - e / V * sum_v log p(v)

    Args:
        label_smoothing: e, in [0, 1) (Szegedy et al. 2016, arXiv:1512.00567, section 7).

    Call arguments:
        y_true: ids, `(batch, target_len)`.
        y_pred: logits, `(batch, target_len, vocab_size)`.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__(name="token_cross_entropy", reduction="mean_with_sample_weight")
        self.label_smoothing = label_smoothing

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        log_total = ops.logsumexp(y_pred, axis=-1)
        labels = ops.expand_dims(ops.cast(y_true, "int32"), -1)
        label_logits = ops.squeeze(ops.take_along_axis(y_pred, labels, axis=-1), -1)
        if not self.label_smoothing:
            return log_total - label_logits
        mean_logits = ops.mean(y_pred, axis=-1)
        smoothing = self.label_smoothing
        return log_total - (1.0 - smoothing) * label_logits - smoothing * mean_logits
