"""Loss of training."""

from __future__ import annotations

from typing import Any

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
        vocab_size = y_pred.shape[-1]
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
        rows = ops.arange(ops.size(labels), dtype="int32")
        positions = ops.concatenate([rows[:, None], labels], axis=-1)
        sharp, even = 1.0 - self.label_smoothing, self.label_smoothing / vocab_size

        def cross_entropy(logits: Tensor) -> tuple[Tensor, Any]:
            highest = ops.max(logits, axis=-1, keepdims=True)
            exponentials = ops.exp(logits - highest)
            total = ops.sum(exponentials, axis=-1, keepdims=True)
            own = ops.take_along_axis(logits, labels, axis=-1)
            expected = sharp * own + even * ops.sum(logits, axis=-1, keepdims=True)

            def gradient(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
                (scale,) = args if upstream is None else (upstream,)
                others = exponentials * (scale / total) - even * scale
                own = ops.take_along_axis(others, labels, axis=-1) - sharp * scale
                return ops.scatter_update(others, positions, own[:, 0])

            return ops.log(total) + highest - expected, gradient

        # Each operator on all logits takes as long as a product with the weights, so there are few.
        losses = ops.custom_gradient(cross_entropy)(ops.reshape(y_pred, (-1, vocab_size)))
        return ops.reshape(losses, ops.shape(y_true))
