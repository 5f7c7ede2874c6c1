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
        smoothing, vocab_size = self.label_smoothing, y_pred.shape[-1]
        certain = ops.one_hot(ops.cast(y_true, "int32"), vocab_size)
        smoothed = (1.0 - smoothing) * certain + smoothing / vocab_size
        return ops.categorical_crossentropy(smoothed, y_pred, from_logits=True)
